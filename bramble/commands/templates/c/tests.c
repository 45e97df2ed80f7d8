#include <stdio.h>
#include <string.h>

#include "greeting.h"

static int failed;

static void expect(int right, const char *what)
{
    printf("%s: %s\n", right ? "ok" : "FAILED", what);
    failed |= !right;
}

int main(void)
{
    char text[20];

    expect(greeting(text, sizeof text, "you") == 11, "the length is returned");
    expect(strcmp(text, "Hello, you!") == 0, "the name is in the greeting");
    expect(greeting(text, 6, "you") == 11 && strcmp(text, "Hello") == 0, "a long greeting is cut");
    return failed;
}
