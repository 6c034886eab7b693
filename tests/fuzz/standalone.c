// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a libFuzzer target where there is no libFuzzer: random inputs for a
 * number of seconds, or the files that are named.
 *
 *	fuzz_x [-seed=N] [-max_total_time=SECONDS] [-max_len=BYTES] [FILE...]
 *
 * Other options of libFuzzer are ignored. On a failure the seed and number that
 * lead to it have been printed.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state;

static uint64_t rng(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static char where[80];

/* Only what a signal handler may do */
static void died(int sig)
{
	ssize_t n = write(2, where, strlen(where));

	(void)n;
	signal(sig, SIG_DFL);
	raise(sig);
}

static int run_file(const char *name)
{
	FILE *f = fopen(name, "rb");
	static uint8_t buf[1 << 20];
	struct stat st;
	size_t n;

	if (!f || fstat(fileno(f), &st)) {
		perror(name);
		return 1;
	}
	if (S_ISDIR(st.st_mode)) {	/* a corpus to collect into */
		fclose(f);
		return 0;
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	LLVMFuzzerTestOneInput(buf, n);
	printf("%s: ok\n", name);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long seed = 1, seconds = 10, max_len = 4096, n = 0;
	int i, files = 0, ret = 0;
	uint8_t *buf;
	time_t end;
	size_t j;

	for (i = 1; i < argc; i++) {
		if (argv[i][0] != '-') {
			struct stat st;

			files += stat(argv[i], &st) || !S_ISDIR(st.st_mode);
			ret |= run_file(argv[i]);
			continue;
		}
		/* libFuzzer's other options mean nothing here */
		if (sscanf(argv[i], "-seed=%lu", &seed) != 1 &&
		    sscanf(argv[i], "-max_total_time=%lu", &seconds) != 1 &&
		    sscanf(argv[i], "-max_len=%lu", &max_len) != 1)
			fprintf(stderr, "%s: ignored\n", argv[i]);
	}
	if (files || ret)
		return ret;

	signal(SIGABRT, died);
	buf = malloc(max_len + 1);
	if (!buf)
		return 1;
	end = time(NULL) + seconds;
	do {
		size_t len;
		uint8_t *exact;

		snprintf(where, sizeof(where), "failed: seed %lu, input %lu\n",
			 seed, n);
		state = (seed << 32 ^ n++) * 0x9e3779b97f4a7c15ULL + 1;
		rng();
		len = rng() % (max_len + 1);
		for (j = 0; j < len; j++)
			buf[j] = rng() >> (rng() & 31);
		/* exact, so that the sanitizer sees a byte too far */
		exact = malloc(len ? len : 1);
		if (!exact)
			return 1;
		memcpy(exact, buf, len);
		LLVMFuzzerTestOneInput(exact, len);
		free(exact);
	} while (time(NULL) < end);
	free(buf);
	printf("seed %lu: %lu inputs\n", seed, n);
	return 0;
}
