/* Holds a file open, as a program does that shows it: others may read it, and not replace it. Until its input ends. */
#include <stdio.h>
#include <windows.h>

int main(int count, char **words)
{
    HANDLE file = INVALID_HANDLE_VALUE;
    if (count == 2)
        file = CreateFileA(words[1], GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return 1;
    puts("held");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
