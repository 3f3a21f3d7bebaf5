/* A system without random numbers, until a file is there: what getrandom(2) does on a Linux before 5.6, for every caller in the program, also
   for those that make the system call by themselves. A filter makes each such call a signal, whose handler answers it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef GRND_INSECURE
#define GRND_INSECURE 4
#endif

static const char *file;

static long answer(void *buffer, size_t length, unsigned flags)
{
    if (flags & GRND_INSECURE)
        return -EINVAL;
    while (access(file, F_OK) != 0) {
        if (flags & GRND_NONBLOCK)
            return -EAGAIN;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    int numbers = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    long got = numbers < 0 ? -EIO : read(numbers, buffer, length);
    close(numbers);
    return got;
}

static void handle(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)number;
    (void)info;
    registers[REG_RAX] = answer((void *)registers[REG_RDI], (size_t)registers[REG_RSI], (unsigned)registers[REG_RDX]);
}

__attribute__((constructor)) static void begin(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER};
    file = getenv("RANDOM_NUMBERS_FROM");
    if (file == NULL || sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
        || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        abort();
}
