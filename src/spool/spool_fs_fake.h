/* spool_fs_fake.h: a file system in memory that records, fails and forgets.
 *
 * For tests. It keeps every change in order; spool_fake_crash() makes the file
 * system that could be found after the power went at any point of that order: what
 * was synced is there, of the rest any subset of 512-byte sectors, and of the names
 * changed in a folder since its last sync any first part. A failed sync loses what
 * it was asked for: a later sync that works does not bring it back. Any thread.
 */
#ifndef GODWIT_SPOOL_SPOOL_FS_FAKE_H
#define GODWIT_SPOOL_SPOOL_FS_FAKE_H

#include "spool/spool_fs.h"

struct spool_fake;

struct spool_fake *spool_fake_new(void);
void spool_fake_free(struct spool_fake **fake);
struct spool_fs *spool_fake_fs(struct spool_fake *fake);

/* Changes so far. */
size_t spool_fake_changes(struct spool_fake *fake);
/* Calls so far, those that change nothing among them. */
size_t spool_fake_calls(struct spool_fake *fake);

/* What is left after the first `changes`; `seed` chooses. With `torn` false all of
 * the unsynced is there, as after kill -9. NULL without memory. */
struct spool_fake *spool_fake_crash(struct spool_fake *fake, size_t changes,
                                    uint64_t seed, bool torn);

/* From call number `first` (0 is the next one) on, `count` calls fail. A write that
 * fails leaves its first half. */
void spool_fake_fail(struct spool_fake *fake, size_t first, size_t count,
                     enum err error);
/* The file system dies during the `n`-th sync of a file from now (0 is the next one).
 * That one is answered ERR_OK, and loses what it was asked for if the file was
 * allocated and not filled, as ext4 does. Every later call is ERR_IO. */
void spool_fake_die(struct spool_fake *fake, size_t n);
/* All files together may take so many bytes; beyond, ERR_FULL. */
void spool_fake_space(struct spool_fake *fake, uint64_t bytes);

/* The n-th file there is, its bytes to be spoilt; NULL after the last. */
char *spool_fake_file(struct spool_fake *fake, size_t n, const char **out_path,
                      size_t *out_len);
/* Puts a file there, durable. */
bool spool_fake_put(struct spool_fake *fake, const char *path, struct slice bytes);

#endif
