package org.edgeecg;

/**
 * One person's comparator on Android, Wear OS or any JVM: a packed bundle and samples in, beats and a decision out.
 *
 * <p>What edge_ecg.h declares, as objects that are closed. Errors are {@link IllegalArgumentException}s with one sentence.
 * An object is used by one thread at a time; different objects are independent. Not a medical device.
 *
 * <pre>{@code
 * try (EdgeECG bundle = EdgeECG.open(packed); EdgeECG.Watch watch = bundle.watch(500.0, 20240309, null)) {
 *   for (EdgeECG.Beat beat : watch.push(microvolts)) show(beat);
 *   EdgeECG.Decision decision = watch.decision();
 * }
 * }</pre>
 */
public final class EdgeECG implements AutoCloseable {
  /** The library, beside the app as libedge_ecg_jni.so, or where -Dedge.ecg= says. */
  static {
    String path = System.getProperty("edge.ecg");
    if (path == null) System.loadLibrary("edge_ecg_jni");
    else System.load(path);
  }

  /** One beat, and what is known since. {@code evidence} is NaN where the beat did not vote, for these {@code reasons}. */
  public record Beat(
      long rIndex, double knownAtSeconds, double rrSeconds, double evidence, double logOdds, double confidence,
      String decision, String[] reasons, int sameAsBaseline, int sameAsTarget, boolean hardTarget, boolean isTurned) {}

  /** What is known of a recording so far; final if it ends here. {@code provisional} is null while nothing was decided. */
  public record Decision(
      String decision, double confidence, double logOdds, double level, String provisional, double provisionalSeconds,
      double coveredSeconds, int provisionalBeats, int votesForBaseline, int votesForTarget, int unusable, boolean isEnough, String[] reasons) {}

  /** Recordings of the baseline that were made on the day that is judged. */
  public static final class DayBaseline implements AutoCloseable {
    private long handle;

    private DayBaseline(long handle) { this.handle = handle; }

    @Override public void close() {
      closeBaseline(handle);
      handle = 0;
    }
  }

  /** A finished recording. */
  public static final class Recording implements AutoCloseable {
    private long handle;

    private Recording(long handle) { this.handle = handle; }

    /** Reads Apple's CSV in any language, or a column of numbers; the name may give the day. */
    public static Recording read(byte[] content, String name) { return new Recording(readRecording(content, utf8(name))); }

    /** A recording from samples in microvolts, NaN where one is missing; {@code recordedAt} may be null. */
    public static Recording of(double[] microvolts, double rateHz, String recordedAt) {
      return new Recording(newRecording(microvolts, rateHz, utf8(recordedAt)));
    }

    /** Its samples in microvolts, NaN where one is missing. */
    public double[] samples() { return EdgeECG.samples(handle()); }

    /** As recorded, e.g. 511.422. */
    public double rateHz() { return EdgeECG.rateHz(handle()); }

    /** 20240309, or 0 where it is unknown. */
    public int day() { return EdgeECG.day(handle()); }

    private long handle() { return opened(handle); }

    @Override public void close() {
      closeRecording(handle);
      handle = 0;
    }
  }

  /** One recording as it comes in. Every size of chunk gives the same beats and decision. */
  public static final class Watch implements AutoCloseable {
    private long handle;
    private final long bundle;

    private Watch(long handle, long bundle) {
      this.handle = handle;
      this.bundle = bundle;
    }

    /** Takes the next samples in microvolts, NaN where one is missing; returns the beats judged since. */
    public Beat[] push(double... microvolts) { return EdgeECG.push(opened(handle), bundle, microvolts); }

    /** What is known so far. */
    public Decision decision() { return EdgeECG.decision(opened(handle), bundle); }

    /** Starts a new recording of the same rate, day and baseline. */
    public void reset() { EdgeECG.reset(opened(handle)); }

    @Override public void close() {
      closeWatch(handle);
      handle = 0;
    }
  }

  private long handle;

  private EdgeECG(long handle) { this.handle = handle; }

  /** Opens a packed bundle after verifying it. */
  public static EdgeECG open(byte[] packed) { return new EdgeECG(openBundle(packed)); }

  /** What the bundle is for, and what it is not. */
  public String intendedUse() { return intendedUse(opened(handle)); }

  /** The day's baseline from recordings of the baseline, all of one day. */
  public DayBaseline dayBaseline(Recording... recordings) {
    return new DayBaseline(dayBaselineOf(opened(handle), handles(recordings)));
  }

  /** The content of a packed bundle whose references are moved to fresh recordings of the baseline, of three dates or more. */
  public byte[] enroll(Recording... recordings) { return enroll(opened(handle), handles(recordings)); }

  /** A watch for recordings of one rate and day (20240309, or 0); {@code baseline} may be null. Close it before the bundle. */
  public Watch watch(double rateHz, int day, DayBaseline baseline) {
    long given = baseline == null ? 0 : opened(baseline.handle);
    return new Watch(newWatch(opened(handle), rateHz, day, given), opened(handle));
  }

  @Override public void close() {
    closeBundle(handle);
    handle = 0;
  }

  private static long opened(long handle) {
    if (handle == 0) throw new IllegalStateException("it is closed");
    return handle;
  }

  private static long[] handles(Recording... recordings) {
    long[] handles = new long[recordings.length];
    for (int i = 0; i < handles.length; i++) handles[i] = recordings[i].handle();
    return handles;
  }

  private static byte[] utf8(String text) {
    return text == null ? null : (text + "\0").getBytes(java.nio.charset.StandardCharsets.UTF_8);
  }

  private static native long openBundle(byte[] packed);
  private static native void closeBundle(long bundle);
  private static native String intendedUse(long bundle);
  private static native long readRecording(byte[] content, byte[] name);
  private static native long newRecording(double[] microvolts, double rateHz, byte[] recordedAt);
  private static native void closeRecording(long recording);
  private static native double[] samples(long recording);
  private static native double rateHz(long recording);
  private static native int day(long recording);
  private static native long dayBaselineOf(long bundle, long[] recordings);
  private static native void closeBaseline(long baseline);
  private static native byte[] enroll(long bundle, long[] recordings);
  private static native long newWatch(long bundle, double rateHz, int day, long baseline);
  private static native void closeWatch(long watch);
  private static native void reset(long watch);
  private static native Beat[] push(long watch, long bundle, double[] microvolts);
  private static native Decision decision(long watch, long bundle);
}
