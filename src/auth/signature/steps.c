/* steps.c: bounded, printable. */
#include "auth/signature/steps.h"

#include <stdarg.h>
#include <stdio.h>

void signature_step(struct signature_steps *steps, const char *format, ...)
{
    if (steps->count == SIGNATURE_STEPS_MAX)
        return;
    char *text = steps->text[steps->count++];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, SIGNATURE_STEP_BYTES, format, arguments) < 0)
        text[0] = '\0';
    va_end(arguments);
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}
