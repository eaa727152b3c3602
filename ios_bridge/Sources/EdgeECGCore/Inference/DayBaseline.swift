/// The day's own baseline: what recordings of the baseline, made on the day that is judged, say of its level.
public struct ECGDayBaseline: Hashable, Sendable {
  /// Their level.
  public let level: ECGDayLevel
  /// Where they came from.
  public let sources: [String]
  /// Their day; nothing if no recording said it.
  public let day: ECGCalendarDay?
  let fingerprints: [Fingerprint]

  /// What is known of some recordings already.
  init(level: ECGDayLevel, day: ECGCalendarDay?, fingerprints: [Fingerprint]) {
    (self.level, self.day, self.fingerprints, sources) = (level, day, fingerprints, [])
  }

  /// The level of some recordings.
  /// - Throws: ``EdgeECGError/recording(_:)`` for a recording that can't be used or is there twice, for recordings of two
  ///   days, for none at all, and for a level at the target's.
  package init<E, C>(_ parts: BundleParts<E, C>, recordings: [ECGRecording]) throws(EdgeECGError) {
    var levels: [Double] = []
    var beats: [Int] = []
    var fingerprints: [Fingerprint] = []
    var days: [(day: ECGCalendarDay, source: String)] = []
    for recording in recordings {
      var judge = try BeatJudge(parts, sampleRateHz: recording.sampleRateHz, day: recording.day)
      let judged = try judge.push(recording.samplesMicrovolts)
      guard judge.tally.isEnough else {
        let why = Self.whyNot(judged, fewestBeats: parts.contract.voting.fewestBeats)
        throw EdgeECGError.recording("\(recording.source): can't be the day's baseline: \(why)")
      }
      let reasons = judge.decision.reasons
      guard reasons.isEmpty else {
        let why = reasons.map { $0.rawValue }.joined(separator: ", ")
        throw EdgeECGError.recording("\(recording.source): can't be the day's baseline: \(why)")
      }
      let fingerprint = judge.guards.fingerprint
      if let same = fingerprints.firstIndex(where: { $0.matches(fingerprint) }) {
        throw EdgeECGError.recording(
          "\(recording.source): is the same recording as \(recordings[same].source); give it once")
      }
      fingerprints.append(fingerprint)
      levels.append(judge.tally.level)
      beats.append(fingerprint.beats)
      if let day = recording.day {
        days.removeAll { $0.day == day }
        days.append((day, recording.source))
      }
    }
    guard let fewest = beats.min() else {
      throw EdgeECGError.recording("there is no recording for the day's baseline")
    }
    guard days.count < 2 else {
      let told = days.sorted { $0.day.ordinal < $1.day.ordinal }.map { "\($0.source) of \($0.day.description)" }
      throw EdgeECGError.recording("the day's baseline must be of one day, not \(told.joined(separator: ", "))")
    }
    level = ECGDayLevel(level: pairwiseSum(levels[...]) / Double(levels.count), recordings: levels.count, beats: fewest)
    sources = recordings.map { $0.source }
    day = days.first?.day
    self.fingerprints = fingerprints
    if let levels = parts.rule.levels, levels.logOdds(level: level.level, beats: level.beats) > 0 {
      let labels = parts.rule.labels
      throw EdgeECGError.recording(
        "\(sources.joined(separator: ", ")): can't be the day's baseline: the level is that of \(labels.target) "
          + "rather than of \(labels.baseline)")
    }
  }

  private static func whyNot(_ judged: [ECGJudgedBeat], fewestBeats: Int) -> String {
    let votes = judged.count { $0.vote != nil }
    let reasons = ECGBeatReason.counts(in: judged)
    guard let most = reasons.map({ $0.beats }).max(), let reason = reasons.first(where: { $0.beats == most })?.reason
    else {
      return "\(votes) usable beats, expected at least \(fewestBeats)"
    }
    let advice = reason == .outOfDate ? " (enroll recent baselines of three dates first)" : ""
    return "\(judged.count - votes) of \(judged.count) beats can't be judged: \(reason.rawValue)\(advice)"
  }
}

extension ECGBeatReason {
  /// How many beats did not vote, by reason, in the order in which the reasons came; a beat can have several.
  package static func counts(in judged: [ECGJudgedBeat]) -> [(reason: ECGBeatReason, beats: Int)] {
    var counts: [(reason: ECGBeatReason, beats: Int)] = []
    for reason in judged.flatMap({ $0.unusable }) {
      if let index = counts.firstIndex(where: { $0.reason == reason }) {
        counts[index].beats += 1
      } else {
        counts.append((reason, 1))
      }
    }
    return counts
  }
}
