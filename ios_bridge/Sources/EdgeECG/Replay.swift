/// What one replay gave and what it cost.
public struct ECGReplay: Hashable, Sendable, Codable {
  /// The recording's source.
  public let source: String
  /// What is known at its end.
  public let decision: ECGDecision
  /// Log odds of the target at its end.
  public let logOdds: Double
  /// Which rule spoke: with the day's baseline, or without one.
  public let rule: String
  /// Each beat with its vote.
  public let judged: [ECGJudgedBeat]
  /// Seconds spent in the watch.
  public let busySeconds: Double
  /// Seconds of ECG.
  public let durationSeconds: Double
  /// Of each chunk that completed a beat: samples in, votes out.
  public let latencyMicroseconds: [Double]
  /// Chunks that took longer than they last at the sensor's pace.
  public let lateChunks: Int

  /// A replay that was made already.
  public init(
    source: String, decision: ECGDecision, logOdds: Double, rule: String, judged: [ECGJudgedBeat], busySeconds: Double,
    durationSeconds: Double, latencyMicroseconds: [Double], lateChunks: Int
  ) {
    (self.source, self.decision, self.logOdds, self.rule) = (source, decision, logOdds, rule)
    (self.judged, self.busySeconds, self.durationSeconds) = (judged, busySeconds, durationSeconds)
    (self.latencyMicroseconds, self.lateChunks) = (latencyMicroseconds, lateChunks)
  }

  /// Seconds of ECG per second of computing.
  public var realtimeFactor: Double { durationSeconds / busySeconds }

  /// Beats that did not vote, by reason, in the order in which the reasons came; a beat can have several.
  public var unusable: [(reason: ECGBeatReason, beats: Int)] { ECGBeatReason.counts(in: judged) }

  /// Beats whose R pointed down, and which were judged the other way up.
  public var invertedBeats: Int { judged.count { $0.beat.isTurned } }

  /// Whether most beats pointed down: worn on the other wrist, or turned around.
  public var leadIsInverted: Bool { 2 * invertedBeats > judged.count }

  /// The latency that this part (0 to 1) of the chunks does not exceed, interpolated as NumPy does.
  public func latency(percentile part: Double) -> Double? {
    let sorted = latencyMicroseconds.sorted()
    guard let last = sorted.last else { return nil }
    let place = min(max(part, 0), 1) * Double(sorted.count - 1)
    let below = Int(clamped: place)
    guard below + 1 < sorted.count else { return last }
    return sorted[below] + (place - Double(below)) * (sorted[below + 1] - sorted[below])
  }
}

extension ECGWatch {
  /// Pushes a recording through a watch, chunk by chunk, as fast as it is judged, and times every step.
  ///
  /// Apple platforms hand over a recording when it is finished; there is no live ECG stream for apps. A replay is
  /// how the stream is shown and measured. Every decision but the last is provisional.
  public static func replay(
    _ recording: ECGRecording, through bundle: ECGBundle, chunkSamples: Int = 64, dayBaseline: ECGDayBaseline? = nil
  ) throws(EdgeECGError) -> ECGReplay {
    precondition(chunkSamples > 0, "a chunk holds at least one sample")
    var watch = try ECGWatch(
      bundle: bundle, sampleRateHz: recording.sampleRateHz, day: recording.day, dayBaseline: dayBaseline)
    let isUndated = dayBaseline.map { $0.day == nil } ?? false  // nothing can check its day
    var judged: [ECGJudgedBeat] = []
    var latency: [Double] = []
    var busy = 0.0
    var lateChunks = 0
    let clock = ContinuousClock()
    for start in stride(from: 0, to: recording.samplesMicrovolts.count, by: chunkSamples) {
      let chunk = recording.samplesMicrovolts[start...].prefix(chunkSamples)
      let began = clock.now
      let beats = try watch.push(chunk)
      let took = (clock.now - began).seconds
      busy += took
      if took > Double(chunkSamples) / recording.sampleRateHz { lateChunks += 1 }
      if !beats.isEmpty {
        latency.append(took * 1e6)
        judged += beats
      }
    }
    return ECGReplay(
      source: recording.source, decision: watch.decision, logOdds: watch.logOdds,
      rule: bundle.rule.description(dayBaseline?.level) + (isUndated ? ", undated" : ""), judged: judged,
      busySeconds: busy,
      durationSeconds: recording.durationSeconds, latencyMicroseconds: latency, lateChunks: lateChunks)
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
