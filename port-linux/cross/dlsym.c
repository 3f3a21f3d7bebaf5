/*
 * Stands in for musl's dlsym in a static binary for MIPS.
 *
 * musl's own is assembly that finds its data through register $t9. Code that is not position-independent, as all of a static binary is,
 * calls it without setting that register, and the process dies there. The caller is the rustix crate, which looks up functions that an
 * old C library lacks. Without dynamic libraries there is nothing to look up, and musl's answer would be null as well.
 */
void *dlsym(void *library, const char *name)
{
	(void)library;
	(void)name;
	return 0;
}
