/* Edge ECG in C: a packed bundle and samples in microvolts in, beats and a decision out.
 *
 * One core for Linux, Android, WebAssembly and firmware: the Swift core behind this header gives the same R peaks,
 * beats, votes and decisions as the Python package, beat for beat. It allocates with malloc, reads no file, opens no
 * connection, asks for no clock and follows no locale. It is a research and engineering tool, not a medical device,
 * and a bundle means nothing for another person than the one it was trained on.
 *
 *   ecg_bundle *bundle = ecg_bundle_open(bytes, count, error, sizeof error);
 *   ecg_watch *watch = ecg_watch_new(bundle, 512.0, 20240309, NULL, error, sizeof error);
 *   while (... samples come ...) {
 *     if (ecg_watch_push(watch, microvolts, samples, error, sizeof error) < 0) ...;
 *     for (ecg_beat beat; ecg_watch_next(watch, &beat, NULL);) ...;
 *   }
 *   ecg_decision decision;
 *   ecg_watch_decision(watch, &decision);   // final when the recording has ended, provisional before
 *   ecg_watch_close(watch);
 *   ecg_bundle_close(bundle);
 *
 * Ownership: a function that returns a handle gives it to the caller, who closes it once. NULL may be closed. Handles do
 *   not depend on each other: a bundle may be closed while its watches are in use. Bytes, samples and texts that are
 *   handed in are copied before the function returns. A pointer that a function gives out points into its handle and is
 *   valid until that handle is closed.
 * Threads: a handle is used by one thread at a time. Different handles are independent, watches of one bundle too.
 * Units: microvolts, seconds on the recording's own clock, Hz. A missing sample is NaN. A day is a number such as
 *   20240309, 0 where it is unknown. Flags are 0 or 1.
 * Errors: a function that can fail takes `error`, room for `most` bytes of one sentence in UTF-8, cut to fit and ended by
 *   a zero byte; NULL and 0 where nobody reads it. It writes there only when it fails. Whatever the bytes of a bundle or a
 *   recording are, the answer is a handle or an error; handles and pointers themselves are not checked.
 * Texts: a function that writes a text into `text`, room for `most` bytes, returns how many bytes the whole text has
 *   without its final zero, as snprintf does.
 * Versions: structs and functions keep their meaning while ECG_VERSION is the same. Compare it with ecg_version() where
 *   the library is loaded at run time.
 */
#ifndef EDGE_ECG_H
#define EDGE_ECG_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ECG_VERSION 1

typedef struct ecg_bundle ecg_bundle;       /* one person's comparator, verified */
typedef struct ecg_recording ecg_recording; /* a finished recording */
typedef struct ecg_watch ecg_watch;         /* one recording as it comes in, judged beat by beat */
typedef struct ecg_day_baseline ecg_day_baseline; /* recordings of the baseline, made on the day that is judged */

/* A decision, or a vote. */
enum { ECG_BASELINE = 0, ECG_TARGET = 1, ECG_INCONCLUSIVE = 2, ECG_NONE = -1 };

/* How a bundle decides. */
typedef struct {
  double lower;                   /* log odds at or below which the decision is the baseline */
  double upper;                   /* log odds at or above which it is the target */
  double most_confident_baseline; /* the highest confidence that the number of known dates supports */
  double most_confident_target;
  int32_t baseline_dates;         /* dates with recordings of each state that the levels are from; 0: no levels, */
  int32_t target_dates;           /*   and then every decision is inconclusive */
  int32_t first_day;              /* the days that are known, from the first to the last; 0 where none is */
  int32_t last_day;
  int32_t sample_rate_hz;         /* the rate at which beats are cut */
  int32_t beat_length;            /* numbers of a beat: samples around R, then the RR interval in seconds */
  int32_t is_enrolled;            /* the references were moved to fresh recordings of the baseline */
  int32_t fewest_beats;           /* usable beats without which nothing is decided */
} ecg_rule;

/* One beat, and what is known since. */
typedef struct {
  int64_t r_index;          /* of the R peak, in samples at the bundle's rate since the recording began */
  double known_at_s;        /* when the beat was complete */
  double rr_s;              /* the interval to the previous R peak */
  double evidence;          /* above 0 for the target; NaN where the beat did not vote */
  double log_odds;          /* of the target, from all beats so far */
  double confidence;        /* of the decision so far, 0.5 to 1 */
  int32_t decision;         /* so far: ECG_BASELINE, ECG_TARGET or ECG_INCONCLUSIVE */
  uint32_t reasons;         /* why it did not vote, a bit for each (ecg_beat_reason); 0: it voted */
  int32_t same_as_baseline; /* references of each state that call the beat "same" */
  int32_t same_as_target;
  int32_t hard_target;      /* the hard vote: a larger share of the target's references call it "same" */
  int32_t is_turned;        /* R pointed down, and the beat was judged the other way up */
} ecg_beat;

/* What is known of a recording so far; final if it ends here. */
typedef struct {
  double confidence;          /* 0.5 to 1, no higher than the number of known dates supports */
  double log_odds;            /* of the target */
  double level;               /* mean evidence of the beats */
  double provisional_s;       /* when the first label was decided; NaN while none was */
  double covered_s;           /* by the beats that voted, their RR intervals included */
  int32_t decision;           /* ECG_BASELINE, ECG_TARGET or ECG_INCONCLUSIVE */
  int32_t provisional;        /* the label that was decided first, or ECG_NONE; later beats do not change it */
  int32_t provisional_beats;  /* beats that had voted by then */
  int32_t votes_for_baseline; /* hard votes; their sum is the number of beats that voted */
  int32_t votes_for_target;
  int32_t unusable;           /* beats that were found and did not vote */
  int32_t is_enough;          /* there are beats enough for a decision, and most of those found voted */
  uint32_t reasons;           /* why the recording as a whole is inconclusive, a bit for each (ecg_recording_reason) */
} ecg_decision;

/* What is known of a day's baseline. */
typedef struct {
  double level;       /* mean evidence of its recordings */
  int32_t recordings; /* how many */
  int32_t beats;      /* of the recording with the fewest */
  int32_t day;        /* 0: no recording states it */
} ecg_day_level;

/* What two recordings share only if they have the same beats: how a day's baseline is known that is of the recording. */
typedef struct {
  double evidence;  /* sum over the beats that voted */
  double covered_s; /* by them */
  int32_t beats;    /* how many */
} ecg_fingerprint;

/* How far an enrollment moved a bundle. */
typedef struct {
  double distance;    /* of the way from the usual baseline to the usual target */
  int32_t recordings; /* that were used */
  int32_t dates;      /* of these */
  int32_t rejected;   /* recordings that were not used */
} ecg_enrollment;

/* The version of this interface that the library was built with. */
int32_t ecg_version(void);
/* The name of a beat's reason by its bit, 0 to 31; 0 bytes beyond the last. */
size_t ecg_beat_reason(int32_t bit, char *text, size_t most);
/* The same for the reasons of a whole recording. */
size_t ecg_recording_reason(int32_t bit, char *text, size_t most);

/* Opens a packed bundle, the file that `edge-ecg pack` writes, after it was verified by size, SHA-256 and seal.
 * NULL: it was refused, and `error` says why. */
ecg_bundle *ecg_bundle_open(const void *bytes, size_t count, char *error, size_t most);
void ecg_bundle_close(ecg_bundle *bundle);
/* The name of a decision; "inconclusive" is always called that. */
size_t ecg_bundle_label(const ecg_bundle *bundle, int32_t decision, char *text, size_t most);
/* What the bundle is for, and what it is not: show it to whoever sees a decision. */
size_t ecg_bundle_intended_use(const ecg_bundle *bundle, char *text, size_t most);
void ecg_bundle_rule(const ecg_bundle *bundle, ecg_rule *rule);

/* Reads Apple's CSV in any language, or a column of numbers. `name` is the file's name, which may give the day, or NULL. */
ecg_recording *ecg_recording_read(const void *bytes, size_t count, const char *name, char *error, size_t most);
/* A recording from samples that are known already, 4 s or longer at 100 to 2000 Hz. `recorded_at` begins with the day,
 * as in 2024-03-09 08:03:00; it and `name` may be NULL. */
ecg_recording *ecg_recording_new(const double *microvolts, size_t count, double rate_hz, const char *recorded_at,
                                 const char *name, char *error, size_t most);
void ecg_recording_close(ecg_recording *recording);
double ecg_recording_rate_hz(const ecg_recording *recording);
int32_t ecg_recording_day(const ecg_recording *recording);
/* When it was recorded, as the file states it; 0 bytes if it does not. */
size_t ecg_recording_recorded_at(const ecg_recording *recording, char *text, size_t most);
/* The number of samples, and where they are. */
size_t ecg_recording_samples(const ecg_recording *recording, const double **microvolts);

/* A day's baseline from its recordings. NULL with an error: one of them can't be used or is there twice, they are of two
 * days, or their level is that of the target. */
ecg_day_baseline *ecg_day_baseline_of(const ecg_bundle *bundle, const ecg_recording *const *recordings, size_t count,
                                      char *error, size_t most);
/* The same from what is known of `level->recordings` recordings already, of this core or of the Python package. */
ecg_day_baseline *ecg_day_baseline_known(const ecg_day_level *level, const ecg_fingerprint *fingerprints, char *error,
                                         size_t most);
void ecg_day_baseline_close(ecg_day_baseline *baseline);
void ecg_day_baseline_level(const ecg_day_baseline *baseline, ecg_day_level *level);

/* The bundle with its references moved to fresh recordings of the baseline, of three dates or more: after a drift. NULL with
 * an error: it is enrolled already, or the recordings can't be used. `found` may be NULL. */
ecg_bundle *ecg_bundle_enroll(const ecg_bundle *bundle, const ecg_recording *const *recordings, size_t count,
                              ecg_enrollment *found, char *error, size_t most);
/* The bytes of the packed bundle, to be kept as a file, and how many they are. */
size_t ecg_bundle_packed(const ecg_bundle *bundle, const void **bytes);

/* A watch for recordings of one rate and day. If the day is out of date for the bundle no beat votes; without a day,
 * none is out of date. `baseline` may be NULL, and may be closed while the watch is in use. */
ecg_watch *ecg_watch_new(const ecg_bundle *bundle, double rate_hz, int32_t day, const ecg_day_baseline *baseline,
                         char *error, size_t most);
void ecg_watch_close(ecg_watch *watch);
/* Starts a new recording of the same rate, day and baseline. */
void ecg_watch_reset(ecg_watch *watch);
/* Takes the next samples, any number of them: every chunk size gives the same beats and decision, bit for bit. Returns
 * how many beats can be taken, or -1 with an error: the first ten seconds can't be in microvolts. */
int32_t ecg_watch_push(ecg_watch *watch, const double *microvolts, size_t count, char *error, size_t most);
/* Takes the next beat, and its ecg_rule.beat_length numbers where `values` is not NULL. 1, or 0: there is none. */
int32_t ecg_watch_next(ecg_watch *watch, ecg_beat *beat, float *values);
/* Takes up to `room` beats at once, with the decision after each and their numbers, one beat after the other; all but
 * `beats` may be NULL. Returns how many. */
int32_t ecg_watch_take(ecg_watch *watch, ecg_beat *beats, ecg_decision *decisions, float *values, size_t room);
void ecg_watch_decision(const ecg_watch *watch, ecg_decision *decision);
/* Of the beats so far. */
void ecg_watch_fingerprint(const ecg_watch *watch, ecg_fingerprint *fingerprint);

#ifdef __cplusplus
}
#endif
#endif
