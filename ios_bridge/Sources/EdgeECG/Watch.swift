/// The whole story in one place: samples in, beats judged, a decision out.
///
/// Any chunk size gives the same votes and decision, bit for bit. A watch is a value: a copy goes its own way.
public struct ECGWatch: Sendable {
  private var judge: BeatJudge<AnyEncoder, AnyComparator>

  /// A watch that judges by `bundle`, for recordings of `sampleRateHz`.
  ///
  /// If their day is out of date for the bundle no beat votes; without a day, none is out of date. The day's baseline is
  /// what the beats are compared with, beside what is usual.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a rate that no sensor has, and for a baseline of another day.
  public init(
    bundle: ECGBundle, sampleRateHz: Double = 512, day: ECGCalendarDay? = nil, dayBaseline: ECGDayBaseline? = nil
  ) throws(EdgeECGError) {
    judge = try BeatJudge(bundle.parts, sampleRateHz: sampleRateHz, day: day, dayBaseline: dayBaseline)
  }

  /// Starts a new recording of the same day.
  public mutating func reset() {
    judge.reset()
  }

  /// Takes the next raw samples in microvolts, any number of them; returns the beats judged since.
  ///
  /// A sample that is not a finite number is a missing one. Gaps up to 16 ms are interpolated; what a longer one touches,
  /// its RR interval included, comes back without a vote.
  /// - Throws: ``EdgeECGError/recording(_:)`` after ten seconds that span too little to be in microvolts, and what the
  ///   bundle's engines throw; the portable ones throw nothing here.
  public mutating func push(_ samplesMicrovolts: some Sequence<Double>) throws(EdgeECGError) -> [ECGJudgedBeat] {
    try judge.push(Array(samplesMicrovolts))
  }

  /// Declares that the sensor gave nothing for a while: the same as pushing that many missing samples.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a gap that is negative or longer than a day.
  public mutating func gap(seconds: Double) throws(EdgeECGError) -> [ECGJudgedBeat] {
    try judge.gap(seconds: seconds)
  }

  /// Whether the recording's day is out of date for the bundle, so that no beat votes.
  public var isOutOfDate: Bool { judge.isOutOfDate }

  /// What the beats so far say: above 0 speaks for the target.
  public var logOdds: Double { judge.tally.logOdds }

  /// The mean evidence of the beats so far; 0 if there is none.
  public var level: Double { judge.tally.level }

  /// Whether there are beats enough for a decision, and most of those found voted.
  public var canDecide: Bool { judge.tally.isEnough }

  /// Whether the recording so far would do as the day's baseline, so that it may end: ten beats have voted.
  public var isBaselineEnough: Bool {
    canDecide && decision.beats >= ECGDayBaseline.enoughBeats && decision.reasons.isEmpty
  }

  /// What is known of the recording so far; final when all its samples were pushed.
  public var decision: ECGDecision { judge.decision }
}
