/* replay BUNDLE < JOBS: recordings through a packed bundle.
 * A job is a line: a recording, and after tabs the recordings of the day's baseline. A line of JSON for each. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge_ecg.h"

#define MOST_RECORDINGS 16
#define CHUNK 64

static char error[512];

static _Noreturn void fail(const char *path, const char *why) {
  fprintf(stderr, "error: %s: %s\n", path, why);
  exit(2);
}

static void *content(const char *path, size_t *count) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail(path, "can't be read");
  *count = (size_t)ftell(file);
  void *bytes = malloc(*count + 1);
  rewind(file);
  *count = fread(bytes, 1, *count, file);
  fclose(file);
  return bytes;
}

static void number(const char *name, double value) {
  if (isfinite(value)) printf("\"%s\":%.17g,", name, value);
  else printf("\"%s\":null,", name);
}

/* The names of the bits that are set. They hold no quotes. */
static void reasons(uint32_t set, size_t (*name)(int32_t, char *, size_t)) {
  char text[64];
  const char *comma = "";
  printf("\"reasons\":[");
  for (int32_t bit = 0; bit < 32; bit++)
    if (set >> bit & 1) {
      name(bit, text, sizeof text);
      printf("%s\"%s\"", comma, text);
      comma = ",";
    }
  printf("]");
}

static void whole(const char *name, int32_t value) { printf("\"%s\":%d,", name, value); }

/* A label as JSON; -1 is null. */
static void label(const ecg_bundle *bundle, const char *name, int32_t decision) {
  char text[256];
  if (decision < 0) {
    printf("\"%s\":null,", name);
    return;
  }
  ecg_bundle_label(bundle, decision, text, sizeof text);
  printf("\"%s\":\"", name);
  for (const char *at = text; *at; at++) printf(*at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
  printf("\",");
}

static void print_beat(const ecg_bundle *bundle, const ecg_beat *beat) {
  printf("{\"r_index\":%lld,", (long long)beat->r_index);
  number("known_at_s", beat->known_at_s);
  number("rr_s", beat->rr_s);
  number("evidence", beat->evidence);
  number("log_odds", beat->log_odds);
  number("confidence", beat->confidence);
  label(bundle, "decision", beat->decision);
  whole("same_as_baseline", beat->same_as_baseline);
  whole("same_as_target", beat->same_as_target);
  whole("hard_target", beat->hard_target);
  whole("is_turned", beat->is_turned);
  reasons(beat->reasons, ecg_beat_reason);
  printf("}");
}

static void print_decision(const ecg_bundle *bundle, const ecg_decision *decision) {
  printf("{");
  number("confidence", decision->confidence);
  number("log_odds", decision->log_odds);
  number("level", decision->level);
  number("provisional_s", decision->provisional_s);
  number("covered_s", decision->covered_s);
  label(bundle, "decision", decision->decision);
  label(bundle, "provisional", decision->provisional);
  whole("provisional_beats", decision->provisional_beats);
  whole("votes_for_baseline", decision->votes_for_baseline);
  whole("votes_for_target", decision->votes_for_target);
  whole("unusable", decision->unusable);
  whole("is_enough", decision->is_enough);
  reasons(decision->reasons, ecg_recording_reason);
  printf("}");
}

static void replay(const ecg_bundle *bundle, const ecg_recording *recording, const ecg_day_baseline *baseline) {
  const double *samples;
  size_t count = ecg_recording_samples(recording, &samples);
  ecg_watch *watch = ecg_watch_new(bundle, ecg_recording_rate_hz(recording), ecg_recording_day(recording), baseline, error,
                                   sizeof error);
  if (!watch) fail("watch", error);
  const char *comma = "";
  printf("{\"beats\":[");
  for (size_t at = 0; at < count; at += CHUNK) {
    if (ecg_watch_push(watch, samples + at, count - at < CHUNK ? count - at : CHUNK, error, sizeof error) < 0)
      fail("watch", error);
    for (ecg_beat beat; ecg_watch_next(watch, &beat, NULL); comma = ",") {
      printf("%s", comma);
      print_beat(bundle, &beat);
    }
  }
  ecg_decision decision;
  ecg_watch_decision(watch, &decision);
  printf("],\"decision\":");
  print_decision(bundle, &decision);
  printf("}\n");
  ecg_watch_close(watch);
}

int main(int words, char **word) {
  if (words != 2 || ecg_version() != ECG_VERSION) return fprintf(stderr, "usage: replay BUNDLE < JOBS\n"), 2;
  size_t count;
  void *bytes = content(word[1], &count);
  ecg_bundle *bundle = ecg_bundle_open(bytes, count, error, sizeof error);
  if (!bundle) fail(word[1], error);
  free(bytes);
  char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, stdin) > 0) {
    line[strcspn(line, "\n")] = 0;
    const ecg_recording *opened[MOST_RECORDINGS];
    size_t recordings = 0;
    for (char *rest = line, *path; recordings < MOST_RECORDINGS && (path = strsep(&rest, "\t"));) {
      bytes = content(path, &count);
      opened[recordings] = ecg_recording_read(bytes, count, path, error, sizeof error);
      if (!opened[recordings++]) fail(path, error);
      free(bytes);
    }
    ecg_day_baseline *baseline = NULL;
    if (recordings > 1 && !(baseline = ecg_day_baseline_of(bundle, opened + 1, recordings - 1, error, sizeof error)))
      fail(line, error);
    replay(bundle, opened[0], baseline);
    ecg_day_baseline_close(baseline);
    while (recordings) ecg_recording_close((ecg_recording *)opened[--recordings]);
  }
  free(line);
  ecg_bundle_close(bundle);
}
