#ifndef GREETING_H
#define GREETING_H

#include <stddef.h>

/* Writes a greeting for `name` into `text`, which has room for `size` bytes.
   Returns how long the whole greeting is, as snprintf does. */
int greeting(char *text, size_t size, const char *name);

#endif
