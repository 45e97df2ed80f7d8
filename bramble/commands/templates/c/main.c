#include <stdio.h>

#include "greeting.h"

int main(int argc, char **argv)
{
    char text[100];

    greeting(text, sizeof text, argc > 1 ? argv[1] : "world");
    puts(text);
    return 0;
}
