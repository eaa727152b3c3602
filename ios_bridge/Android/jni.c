/* EdgeECG.java's native methods: objects of Java from the structs of edge_ecg.h. */
#include <jni.h>
#include <stdlib.h>
#include <string.h>

#include "edge_ecg.h"

#define METHOD(type, name) JNIEXPORT type JNICALL Java_org_edgeecg_EdgeECG_##name
#define STRING "Ljava/lang/String;"
#define CHUNK 256 /* samples in a push, so that the stack holds them */

static char *failure(char *error) { return strcpy(error, "there is not enough memory"); }

static void refuse(JNIEnv *env, const char *why) {
  jclass kind = (*env)->FindClass(env, "java/lang/IllegalArgumentException");
  if (kind) (*env)->ThrowNew(env, kind, why);
}

/* Java's own constructor for UTF-8, since NewStringUTF expects another form of it. */
static jstring string(JNIEnv *env, const char *text) {
  jsize count = (jsize)strlen(text);
  jbyteArray bytes = (*env)->NewByteArray(env, count);
  if (!bytes) return NULL;
  (*env)->SetByteArrayRegion(env, bytes, 0, count, (const jbyte *)text);
  jclass kind = (*env)->FindClass(env, "java/lang/String");
  jmethodID made = (*env)->GetMethodID(env, kind, "<init>", "([B" STRING ")V");
  jstring name = (*env)->NewStringUTF(env, "UTF-8"), result = (*env)->NewObject(env, kind, made, bytes, name);
  (*env)->DeleteLocalRef(env, bytes);
  (*env)->DeleteLocalRef(env, name);
  return result;
}

static jstring label(JNIEnv *env, jlong bundle, int32_t decision) {
  char text[256];
  if (decision == ECG_NONE) return NULL;
  ecg_bundle_label((const ecg_bundle *)(intptr_t)bundle, decision, text, sizeof text);
  return string(env, text);
}

static jobjectArray reasons(JNIEnv *env, uint32_t set, size_t (*name)(int32_t, char *, size_t)) {
  char text[64];
  jobjectArray found = (*env)->NewObjectArray(env, __builtin_popcount(set), (*env)->FindClass(env, "java/lang/String"), NULL);
  jsize count = 0;
  for (int32_t bit = 0; found && bit < 32; bit++)
    if (set >> bit & 1) {
      name(bit, text, sizeof text);
      (*env)->SetObjectArrayElement(env, found, count++, string(env, text));
    }
  return found;
}

METHOD(jlong, openBundle)(JNIEnv *env, jclass class, jbyteArray packed) {
  (void)class;
  char error[512];
  jbyte *bytes = (*env)->GetByteArrayElements(env, packed, NULL);
  failure(error);
  ecg_bundle *bundle = bytes ? ecg_bundle_open(bytes, (size_t)(*env)->GetArrayLength(env, packed), error, sizeof error) : NULL;
  if (bytes) (*env)->ReleaseByteArrayElements(env, packed, bytes, JNI_ABORT);
  if (!bundle) refuse(env, error);
  return (jlong)(intptr_t)bundle;
}

METHOD(void, closeBundle)(JNIEnv *env, jclass class, jlong bundle) {
  (void)env, (void)class;
  ecg_bundle_close((ecg_bundle *)(intptr_t)bundle);
}

METHOD(jstring, intendedUse)(JNIEnv *env, jclass class, jlong bundle) {
  (void)class;
  char text[1024];
  ecg_bundle_intended_use((const ecg_bundle *)(intptr_t)bundle, text, sizeof text);
  return string(env, text);
}

METHOD(jlong, readRecording)(JNIEnv *env, jclass class, jbyteArray content, jbyteArray name) {
  (void)class;
  char error[512];
  failure(error);
  jbyte *bytes = (*env)->GetByteArrayElements(env, content, NULL);
  jbyte *path = name ? (*env)->GetByteArrayElements(env, name, NULL) : NULL;
  ecg_recording *recording = NULL;
  if (bytes)
    recording = ecg_recording_read(bytes, (size_t)(*env)->GetArrayLength(env, content), (char *)path, error, sizeof error);
  if (bytes) (*env)->ReleaseByteArrayElements(env, content, bytes, JNI_ABORT);
  if (path) (*env)->ReleaseByteArrayElements(env, name, path, JNI_ABORT);
  if (!recording) refuse(env, error);
  return (jlong)(intptr_t)recording;
}

METHOD(jlong, newRecording)(JNIEnv *env, jclass class, jdoubleArray microvolts, jdouble rate_hz, jbyteArray recorded_at) {
  (void)class;
  char error[512];
  failure(error);
  jdouble *samples = (*env)->GetDoubleArrayElements(env, microvolts, NULL);
  jbyte *when = recorded_at ? (*env)->GetByteArrayElements(env, recorded_at, NULL) : NULL;
  ecg_recording *recording = NULL;
  if (samples) {
    size_t count = (size_t)(*env)->GetArrayLength(env, microvolts);
    recording = ecg_recording_new(samples, count, rate_hz, (char *)when, NULL, error, sizeof error);
    (*env)->ReleaseDoubleArrayElements(env, microvolts, samples, JNI_ABORT);
  }
  if (when) (*env)->ReleaseByteArrayElements(env, recorded_at, when, JNI_ABORT);
  if (!recording) refuse(env, error);
  return (jlong)(intptr_t)recording;
}

METHOD(void, closeRecording)(JNIEnv *env, jclass class, jlong recording) {
  (void)env, (void)class;
  ecg_recording_close((ecg_recording *)(intptr_t)recording);
}

METHOD(jdoubleArray, samples)(JNIEnv *env, jclass class, jlong recording) {
  (void)class;
  const double *samples;
  jsize count = (jsize)ecg_recording_samples((const ecg_recording *)(intptr_t)recording, &samples);
  jdoubleArray copy = (*env)->NewDoubleArray(env, count);
  if (copy) (*env)->SetDoubleArrayRegion(env, copy, 0, count, samples);
  return copy;
}

METHOD(jdouble, rateHz)(JNIEnv *env, jclass class, jlong recording) {
  (void)env, (void)class;
  return ecg_recording_rate_hz((const ecg_recording *)(intptr_t)recording);
}

METHOD(jint, day)(JNIEnv *env, jclass class, jlong recording) {
  (void)env, (void)class;
  return ecg_recording_day((const ecg_recording *)(intptr_t)recording);
}

/* The recordings behind handles of Java; free them. NULL: there is not enough memory. */
static const ecg_recording **given(JNIEnv *env, jlongArray recordings, size_t *count) {
  *count = (size_t)(*env)->GetArrayLength(env, recordings);
  jlong *handles = (*env)->GetLongArrayElements(env, recordings, NULL);
  const ecg_recording **found = handles ? malloc((*count + 1) * sizeof *found) : NULL;
  for (size_t i = 0; found && i < *count; i++) found[i] = (const ecg_recording *)(intptr_t)handles[i];
  if (handles) (*env)->ReleaseLongArrayElements(env, recordings, handles, JNI_ABORT);
  return found;
}

METHOD(jlong, dayBaselineOf)(JNIEnv *env, jclass class, jlong bundle, jlongArray recordings) {
  (void)class;
  char error[512];
  size_t count;
  failure(error);
  const ecg_recording **found = given(env, recordings, &count);
  ecg_day_baseline *baseline =
      found ? ecg_day_baseline_of((const ecg_bundle *)(intptr_t)bundle, found, count, error, sizeof error) : NULL;
  free(found);
  if (!baseline) refuse(env, error);
  return (jlong)(intptr_t)baseline;
}

METHOD(void, closeBaseline)(JNIEnv *env, jclass class, jlong baseline) {
  (void)env, (void)class;
  ecg_day_baseline_close((ecg_day_baseline *)(intptr_t)baseline);
}

METHOD(jbyteArray, enroll)(JNIEnv *env, jclass class, jlong bundle, jlongArray recordings) {
  (void)class;
  char error[512];
  size_t count;
  failure(error);
  const ecg_recording **found = given(env, recordings, &count);
  ecg_bundle *enrolled =
      found ? ecg_bundle_enroll((const ecg_bundle *)(intptr_t)bundle, found, count, NULL, error, sizeof error) : NULL;
  free(found);
  if (!enrolled) return refuse(env, error), NULL;
  const void *packed;
  jsize size = (jsize)ecg_bundle_packed(enrolled, &packed);
  jbyteArray copy = (*env)->NewByteArray(env, size);
  if (copy) (*env)->SetByteArrayRegion(env, copy, 0, size, packed);
  ecg_bundle_close(enrolled);
  return copy;
}

METHOD(jlong, newWatch)(JNIEnv *env, jclass class, jlong bundle, jdouble rate_hz, jint day, jlong baseline) {
  (void)class;
  char error[512];
  ecg_watch *watch = ecg_watch_new((const ecg_bundle *)(intptr_t)bundle, rate_hz, day,
                                   (const ecg_day_baseline *)(intptr_t)baseline, error, sizeof error);
  if (!watch) refuse(env, error);
  return (jlong)(intptr_t)watch;
}

METHOD(void, closeWatch)(JNIEnv *env, jclass class, jlong watch) {
  (void)env, (void)class;
  ecg_watch_close((ecg_watch *)(intptr_t)watch);
}

METHOD(void, reset)(JNIEnv *env, jclass class, jlong watch) {
  (void)env, (void)class;
  ecg_watch_reset((ecg_watch *)(intptr_t)watch);
}

METHOD(jobjectArray, push)(JNIEnv *env, jclass class, jlong watch, jlong bundle, jdoubleArray microvolts) {
  (void)class;
  char error[512];
  double chunk[CHUNK];
  jsize count = (*env)->GetArrayLength(env, microvolts);
  int32_t found = 0;
  for (jsize at = 0; at < count && found >= 0; at += CHUNK) {
    jsize size = count - at < CHUNK ? count - at : CHUNK;
    (*env)->GetDoubleArrayRegion(env, microvolts, at, size, chunk);
    found = ecg_watch_push((ecg_watch *)(intptr_t)watch, chunk, (size_t)size, error, sizeof error);
  }
  if (found < 0) return refuse(env, error), NULL;
  jclass kind = (*env)->FindClass(env, "org/edgeecg/EdgeECG$Beat");
  jmethodID made = (*env)->GetMethodID(env, kind, "<init>", "(JDDDDD" STRING "[" STRING "IIZZ)V");
  jobjectArray beats = (*env)->NewObjectArray(env, found, kind, NULL);
  for (int32_t i = 0; beats && i < found; i++) {
    ecg_beat b;
    ecg_watch_next((ecg_watch *)(intptr_t)watch, &b, NULL);
    jobject decision = label(env, bundle, b.decision), why = reasons(env, b.reasons, ecg_beat_reason);
    jobject beat = (*env)->NewObject(env, kind, made, (jlong)b.r_index, b.known_at_s, b.rr_s, b.evidence, b.log_odds,
                                     b.confidence, decision, why, b.same_as_baseline, b.same_as_target,
                                     (jboolean)b.hard_target, (jboolean)b.is_turned);
    (*env)->SetObjectArrayElement(env, beats, i, beat);
    (*env)->DeleteLocalRef(env, decision);
    (*env)->DeleteLocalRef(env, why);
    (*env)->DeleteLocalRef(env, beat);
  }
  return beats;
}

METHOD(jobject, decision)(JNIEnv *env, jclass class, jlong watch, jlong bundle) {
  (void)class;
  ecg_decision d;
  ecg_watch_decision((const ecg_watch *)(intptr_t)watch, &d);
  jclass kind = (*env)->FindClass(env, "org/edgeecg/EdgeECG$Decision");
  jmethodID made = (*env)->GetMethodID(env, kind, "<init>", "(" STRING "DDD" STRING "DDIIIIZ[" STRING ")V");
  return (*env)->NewObject(env, kind, made, label(env, bundle, d.decision), d.confidence, d.log_odds, d.level,
                           label(env, bundle, d.provisional), d.provisional_s, d.covered_s, d.provisional_beats, d.votes_for_baseline,
                           d.votes_for_target, d.unusable, (jboolean)d.is_enough,
                           reasons(env, d.reasons, ecg_recording_reason));
}
