import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.edgeecg.EdgeECG;

/** Replay BUNDLE < JOBS: a line of JSON for each job, as ios_bridge/C/replay.c prints it. */
final class Replay {
  private static final int CHUNK = 64;

  public static void main(String[] words) throws Exception {
    BufferedReader jobs = new BufferedReader(new InputStreamReader(System.in));
    try (EdgeECG bundle = EdgeECG.open(Files.readAllBytes(Path.of(words[0])))) {
      for (String job = jobs.readLine(); job != null; job = jobs.readLine()) replay(bundle, job.split("\t"));
    }
  }

  private static void replay(EdgeECG bundle, String[] paths) throws Exception {
    EdgeECG.Recording[] opened = new EdgeECG.Recording[paths.length];
    for (int i = 0; i < paths.length; i++)
      opened[i] = EdgeECG.Recording.read(Files.readAllBytes(Path.of(paths[i])), paths[i]);
    EdgeECG.DayBaseline day =
        paths.length > 1 ? bundle.dayBaseline(Arrays.copyOfRange(opened, 1, opened.length)) : null;
    List<String> beats = new ArrayList<>();
    double[] samples = opened[0].samples();
    try (EdgeECG.Watch watch = bundle.watch(opened[0].rateHz(), opened[0].day(), day)) {
      for (int at = 0; at < samples.length; at += CHUNK) {
        double[] chunk = Arrays.copyOfRange(samples, at, Math.min(samples.length, at + CHUNK));
        for (EdgeECG.Beat beat : watch.push(chunk)) beats.add(json(beat));
      }
      System.out.println("{\"beats\":[" + String.join(",", beats) + "],\"decision\":" + json(watch.decision()) + "}");
    }
    if (day != null) day.close();
    for (EdgeECG.Recording recording : opened) recording.close();
  }

  private static String json(EdgeECG.Beat b) {
    return "{\"r_index\":" + b.rIndex() + ",\"known_at_s\":" + number(b.knownAtSeconds()) + ",\"rr_s\":"
        + number(b.rrSeconds()) + ",\"evidence\":" + number(b.evidence()) + ",\"log_odds\":" + number(b.logOdds())
        + ",\"confidence\":" + number(b.confidence()) + ",\"decision\":" + text(b.decision()) + ",\"reasons\":"
        + texts(b.reasons()) + ",\"same_as_baseline\":" + b.sameAsBaseline() + ",\"same_as_target\":" + b.sameAsTarget()
        + ",\"hard_target\":" + flag(b.hardTarget()) + ",\"is_turned\":" + flag(b.isTurned()) + "}";
  }

  private static String json(EdgeECG.Decision d) {
    return "{\"decision\":" + text(d.decision()) + ",\"confidence\":" + number(d.confidence()) + ",\"log_odds\":"
        + number(d.logOdds()) + ",\"level\":" + number(d.level()) + ",\"provisional\":" + text(d.provisional())
        + ",\"provisional_s\":" + number(d.provisionalSeconds()) + ",\"covered_s\":" + number(d.coveredSeconds())
        + ",\"provisional_beats\":" + d.provisionalBeats()
        + ",\"votes_for_baseline\":" + d.votesForBaseline() + ",\"votes_for_target\":" + d.votesForTarget()
        + ",\"unusable\":" + d.unusable() + ",\"is_enough\":" + flag(d.isEnough()) + ",\"reasons\":" + texts(d.reasons())
        + "}";
  }

  private static String number(double value) { return Double.isFinite(value) ? Double.toString(value) : "null"; }

  private static int flag(boolean isSet) { return isSet ? 1 : 0; }

  private static String text(String text) {
    return text == null ? "null" : '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  private static String texts(String[] texts) {
    return Arrays.toString(Arrays.stream(texts).map(Replay::text).toArray());
  }
}
