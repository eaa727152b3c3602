// The core behind `edge_ecg.h`, compiled into the core's own module; `@implementation` holds both to one signature.
// The header documents what it declares.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

private final class OpenBundle {
  let parts: PortableParts
  let packed: UnsafeMutableBufferPointer<UInt8>

  init(packed content: [UInt8]) throws(EdgeECGError) {
    parts = try PortableParts(packed: content, source: "bundle")
    packed = .allocate(capacity: content.count)
    _ = packed.initialize(from: content)
  }

  deinit { packed.deallocate() }
}

private final class OpenBaseline {
  let baseline: ECGDayBaseline
  init(_ baseline: ECGDayBaseline) { self.baseline = baseline }
}

private final class OpenRecording {
  let recording: ECGRecording
  let samples: UnsafeMutableBufferPointer<Double>

  init(_ recording: ECGRecording) {
    self.recording = recording
    samples = .allocate(capacity: recording.samplesMicrovolts.count)
    _ = samples.initialize(from: recording.samplesMicrovolts)
  }

  deinit { samples.deallocate() }
}

private final class OpenWatch {
  private let blockSamples: Int
  private var judge: BeatJudge<PortableEncoder, PortableComparator>
  private var waiting: [(judged: ECGJudgedBeat, tally: Tally)] = []
  private var taken = 0

  init(_ judge: BeatJudge<PortableEncoder, PortableComparator>, blockSamples: Int) {
    self.judge = judge
    self.blockSamples = blockSamples
  }

  var fingerprint: Fingerprint { judge.guards.fingerprint }
  var known: ecg_decision { ecg_decision(judge.decision, judge.tally) }
  var count: Int { waiting.count - taken }

  /// In blocks that complete one beat at most, so that the tally after each beat is known.
  func push(_ samples: UnsafeBufferPointer<Double>) throws(EdgeECGError) {
    if count == 0 {
      waiting.removeAll(keepingCapacity: true)
      taken = 0
    }
    for start in stride(from: 0, to: samples.count, by: blockSamples) {
      let block = Array(samples[start..<min(start + blockSamples, samples.count)])
      for judged in try judge.push(block) { waiting.append((judged, judge.tally)) }
    }
  }

  func take(_ most: Int) -> ArraySlice<(judged: ECGJudgedBeat, tally: Tally)> {
    let next = waiting[taken..<min(waiting.count, taken + max(0, most))]
    taken = next.endIndex
    return next
  }

  func reset() {
    judge.reset()
    (waiting, taken) = ([], 0)
  }
}

// MARK: - Handles, texts and days

private func handle<Object: AnyObject>(_ object: Object) -> OpaquePointer {
  OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

private func object<Object: AnyObject>(_ handle: OpaquePointer, _: Object.Type) -> Object {
  Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

private func release<Object: AnyObject>(_ handle: OpaquePointer?, _: Object.Type) {
  if let handle { Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release() }
}

/// Copies a text, cut between two characters, and ends it by a zero; returns how many bytes it has whole.
@discardableResult
private func write(_ text: String, into room: UnsafeMutablePointer<CChar>?, _ most: Int) -> Int {
  let bytes = Array(text.utf8)
  if let room, most > 0 {
    var end = min(bytes.count, most - 1)
    while end > 0, end < bytes.count, bytes[end] & 0xc0 == 0x80 { end -= 1 }
    for index in 0..<end { room[index] = CChar(bitPattern: bytes[index]) }
    room[end] = 0
  }
  return bytes.count
}

private func bytes(_ start: UnsafeRawPointer?, _ count: Int) -> [UInt8] {
  Array(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : max(0, count)))
}

private func samples(_ start: UnsafePointer<Double>?, _ count: Int) -> UnsafeBufferPointer<Double> {
  UnsafeBufferPointer(start: start, count: start == nil ? 0 : max(0, count))
}

private func recordings(_ handles: UnsafePointer<OpaquePointer?>?, _ count: Int) -> [ECGRecording] {
  UnsafeBufferPointer(start: handles, count: handles == nil ? 0 : max(0, count)).compactMap { handle in
    handle.map { object($0, OpenRecording.self).recording }
  }
}

private func text(_ start: UnsafePointer<CChar>?) -> String? { start.map { String(cString: $0) } }

private func day(_ number: Int32) throws(EdgeECGError) -> ECGCalendarDay? {
  if number == 0 { return nil }
  let date = Int(number)
  guard let day = ECGCalendarDay(year: date / 10000, month: date / 100 % 100, day: date % 100) else {
    throw EdgeECGError.recording("the day is \(String(number)), expected one such as 20240309, or 0")
  }
  return day
}

private func number(_ day: ECGCalendarDay?) -> Int32 {
  Int32(day.map { $0.description.utf8.filter { $0 != UInt8(ascii: "-") }.reduce(0) { 10 * $0 + Int($1) - 0x30 } } ?? 0)
}

/// 20240309 from the days since 0001-01-01, by the era of 400 years that begins in March.
private func number(ordinal: Int) -> Int32 {
  let shifted = ordinal + 305
  let (era, dayOfEra) = (shifted / 146_097, shifted % 146_097)
  let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let fromMarch = (5 * dayOfYear + 2) / 153
  let (month, isNextYear) = fromMarch < 10 ? (fromMarch + 3, 0) : (fromMarch - 9, 1)
  let year = 400 * era + yearOfEra + isNextYear
  return Int32(clamping: 10000 * year + 100 * month + dayOfYear - (153 * fromMarch + 2) / 5 + 1)
}

extension ECGOutcome {
  fileprivate var code: Int32 {
    switch self {
    case .baseline: Int32(ECG_BASELINE)
    case .target: Int32(ECG_TARGET)
    case .inconclusive: Int32(ECG_INCONCLUSIVE)
    }
  }

  fileprivate init(code: Int32) {
    self = Self.allCases.first { $0.code == code } ?? .inconclusive
  }
}

/// A bit for each reason, by its place among all of its kind.
private func mask<Reason: CaseIterable & Equatable>(_ reasons: [Reason]) -> UInt32 {
  var mask: UInt32 = 0
  for (place, reason) in Reason.allCases.enumerated() where reasons.contains(reason) { mask |= 1 << UInt32(place) }
  return mask
}

private func flag(_ isSet: Bool) -> Int32 { isSet ? 1 : 0 }

@c @implementation public func ecg_version() -> Int32 { ECG_VERSION }

@c @implementation public func ecg_beat_reason(_ bit: Int32, _ text: UnsafeMutablePointer<CChar>!, _ most: Int) -> Int {
  let names = ECGBeatReason.allCases.map { $0.rawValue }
  return write(names.indices.contains(Int(bit)) ? names[Int(bit)] : "", into: text, most)
}

@c @implementation public func ecg_recording_reason(
  _ bit: Int32, _ text: UnsafeMutablePointer<CChar>!, _ most: Int
) -> Int {
  let names = ECGRecordingReason.allCases.map { $0.rawValue }
  return write(names.indices.contains(Int(bit)) ? names[Int(bit)] : "", into: text, most)
}

// MARK: - The bundle

@c @implementation public func ecg_bundle_open(
  _ content: UnsafeRawPointer!, _ count: Int, _ error: UnsafeMutablePointer<CChar>!, _ most: Int
) -> OpaquePointer! {
  do throws(EdgeECGError) {
    return handle(try OpenBundle(packed: bytes(content, count)))
  } catch let problem {
    write(problem.message, into: error, most)
    return nil
  }
}

@c @implementation public func ecg_bundle_close(_ bundle: OpaquePointer!) { release(bundle, OpenBundle.self) }

@c @implementation public func ecg_bundle_label(
  _ bundle: OpaquePointer!, _ decision: Int32, _ text: UnsafeMutablePointer<CChar>!, _ most: Int
) -> Int {
  write(object(bundle, OpenBundle.self).parts.rule.labels[ECGOutcome(code: decision)], into: text, most)
}

@c @implementation public func ecg_bundle_intended_use(
  _ bundle: OpaquePointer!, _ text: UnsafeMutablePointer<CChar>!, _ most: Int
) -> Int {
  write(object(bundle, OpenBundle.self).parts.intendedUse, into: text, most)
}

@c @implementation public func ecg_bundle_rule(_ bundle: OpaquePointer!, _ rule: UnsafeMutablePointer<ecg_rule>!) {
  let parts = object(bundle, OpenBundle.self).parts
  let (levels, days) = (parts.rule.levels, parts.references.distribution?.days)
  rule.pointee = ecg_rule(
    lower: parts.rule.lower, upper: parts.rule.upper,
    most_confident_baseline: levels?.mostConfident(isTarget: false) ?? 0.5,
    most_confident_target: levels?.mostConfident(isTarget: true) ?? 0.5,
    baseline_dates: Int32(clamping: levels?.baseline.dates ?? 0),
    target_dates: Int32(clamping: levels?.target.dates ?? 0),
    first_day: days.map { number(ordinal: $0.lowerBound) } ?? 0,
    last_day: days.map { number(ordinal: $0.upperBound) } ?? 0,
    sample_rate_hz: Int32(clamping: parts.contract.sampleRateHz),
    beat_length: Int32(clamping: parts.contract.beatLength),
    is_enrolled: flag(parts.isEnrolled),
    fewest_beats: Int32(clamping: parts.contract.voting.fewestBeats))
}

// MARK: - Recordings

@c @implementation public func ecg_recording_read(
  _ content: UnsafeRawPointer!, _ count: Int, _ name: UnsafePointer<CChar>!, _ error: UnsafeMutablePointer<CChar>!,
  _ most: Int
) -> OpaquePointer! {
  do throws(EdgeECGError) {
    return handle(OpenRecording(try ECGRecording(content: bytes(content, count), source: text(name) ?? "")))
  } catch let problem {
    write(problem.message, into: error, most)
    return nil
  }
}

@c @implementation public func ecg_recording_new(
  _ microvolts: UnsafePointer<Double>!, _ count: Int, _ rateHz: Double, _ recordedAt: UnsafePointer<CChar>!,
  _ name: UnsafePointer<CChar>!, _ error: UnsafeMutablePointer<CChar>!, _ most: Int
) -> OpaquePointer! {
  do throws(EdgeECGError) {
    return handle(
      OpenRecording(
        try ECGRecording(
          samplesMicrovolts: Array(samples(microvolts, count)), sampleRateHz: rateHz, source: text(name) ?? "",
          recordedAt: text(recordedAt))))
  } catch let problem {
    write(problem.message, into: error, most)
    return nil
  }
}

@c @implementation public func ecg_recording_close(_ recording: OpaquePointer!) {
  release(recording, OpenRecording.self)
}

@c @implementation public func ecg_recording_rate_hz(_ recording: OpaquePointer!) -> Double {
  object(recording, OpenRecording.self).recording.sampleRateHz
}

@c @implementation public func ecg_recording_day(_ recording: OpaquePointer!) -> Int32 {
  number(object(recording, OpenRecording.self).recording.day)
}

@c @implementation public func ecg_recording_recorded_at(
  _ recording: OpaquePointer!, _ text: UnsafeMutablePointer<CChar>!, _ most: Int
) -> Int {
  write(object(recording, OpenRecording.self).recording.recordedAt ?? "", into: text, most)
}

@c @implementation public func ecg_recording_samples(
  _ recording: OpaquePointer!, _ microvolts: UnsafeMutablePointer<UnsafePointer<Double>?>!
) -> Int {
  let samples = object(recording, OpenRecording.self).samples
  microvolts.pointee = UnsafePointer(samples.baseAddress)
  return samples.count
}

// MARK: - The watch

@c @implementation public func ecg_day_baseline_of(
  _ bundle: OpaquePointer!, _ handles: UnsafePointer<OpaquePointer?>!, _ count: Int,
  _ error: UnsafeMutablePointer<CChar>!, _ most: Int
) -> OpaquePointer! {
  do throws(EdgeECGError) {
    let parts = object(bundle, OpenBundle.self).parts
    return handle(OpenBaseline(try ECGDayBaseline(parts, recordings: recordings(handles, count))))
  } catch let problem {
    write(problem.message, into: error, most)
    return nil
  }
}

@c @implementation public func ecg_day_baseline_known(
  _ level: UnsafePointer<ecg_day_level>!, _ fingerprints: UnsafePointer<ecg_fingerprint>!,
  _ error: UnsafeMutablePointer<CChar>!, _ most: Int
) -> OpaquePointer! {
  do throws(EdgeECGError) {
    let known = level.pointee
    guard known.level.isFinite, known.recordings > 0, known.beats > 0 else {
      throw EdgeECGError.recording("the day's baseline has no level, or no recordings with beats")
    }
    let of = UnsafeBufferPointer(start: fingerprints, count: fingerprints == nil ? 0 : Int(known.recordings)).map {
      Fingerprint(beats: Int($0.beats), evidence: $0.evidence, coveredSeconds: $0.covered_s)
    }
    let level = ECGDayLevel(level: known.level, recordings: Int(known.recordings), beats: Int(known.beats))
    return handle(OpenBaseline(ECGDayBaseline(level: level, day: try day(known.day), fingerprints: of)))
  } catch let problem {
    write(problem.message, into: error, most)
    return nil
  }
}

@c @implementation public func ecg_day_baseline_close(_ baseline: OpaquePointer!) {
  release(baseline, OpenBaseline.self)
}

@c @implementation public func ecg_day_baseline_level(
  _ baseline: OpaquePointer!, _ level: UnsafeMutablePointer<ecg_day_level>!
) {
  let found = object(baseline, OpenBaseline.self).baseline
  level.pointee = ecg_day_level(
    level: found.level.level, recordings: Int32(clamping: found.level.recordings),
    beats: Int32(clamping: found.level.beats), day: number(found.day))
}

@c @implementation public func ecg_bundle_enroll(
  _ bundle: OpaquePointer!, _ handles: UnsafePointer<OpaquePointer?>!, _ count: Int,
  _ found: UnsafeMutablePointer<ecg_enrollment>!, _ error: UnsafeMutablePointer<CChar>!, _ most: Int
) -> OpaquePointer! {
  do throws(EdgeECGError) {
    let open = object(bundle, OpenBundle.self)
    let enrollment = try ECGEnrollment(open.parts, recordings: recordings(handles, count))
    let enrolled = try OpenBundle(packed: PackedFiles(Array(open.packed), name: "bundle").enrolled(by: enrollment))
    found?.pointee = ecg_enrollment(
      distance: enrollment.distance, recordings: Int32(clamping: enrollment.used.count),
      dates: Int32(clamping: enrollment.dates.count),
      rejected: Int32(clamping: enrollment.samples.count - enrollment.used.count))
    return handle(enrolled)
  } catch let problem {
    write(problem.message, into: error, most)
    return nil
  }
}

@c @implementation public func ecg_bundle_packed(
  _ bundle: OpaquePointer!, _ content: UnsafeMutablePointer<UnsafeRawPointer?>!
) -> Int {
  let packed = object(bundle, OpenBundle.self).packed
  content.pointee = UnsafeRawPointer(packed.baseAddress)
  return packed.count
}

@c @implementation public func ecg_watch_new(
  _ bundle: OpaquePointer!, _ rateHz: Double, _ date: Int32, _ baseline: OpaquePointer!,
  _ error: UnsafeMutablePointer<CChar>!, _ most: Int
) -> OpaquePointer! {
  do throws(EdgeECGError) {
    let parts = object(bundle, OpenBundle.self).parts
    let judge = try BeatJudge(
      parts, sampleRateHz: rateHz, day: try day(date),
      dayBaseline: baseline.map { object($0, OpenBaseline.self).baseline })
    return handle(OpenWatch(judge, blockSamples: parts.contract.blockSamples))
  } catch let problem {
    write(problem.message, into: error, most)
    return nil
  }
}

@c @implementation public func ecg_watch_close(_ watch: OpaquePointer!) { release(watch, OpenWatch.self) }

@c @implementation public func ecg_watch_reset(_ watch: OpaquePointer!) { object(watch, OpenWatch.self).reset() }

@c @implementation public func ecg_watch_push(
  _ watch: OpaquePointer!, _ microvolts: UnsafePointer<Double>!, _ count: Int, _ error: UnsafeMutablePointer<CChar>!,
  _ most: Int
) -> Int32 {
  do throws(EdgeECGError) {
    let watch = object(watch, OpenWatch.self)
    try watch.push(samples(microvolts, count))
    return Int32(clamping: watch.count)
  } catch let problem {
    write(problem.message, into: error, most)
    return -1
  }
}

@c @implementation public func ecg_watch_next(
  _ watch: OpaquePointer!, _ beat: UnsafeMutablePointer<ecg_beat>!, _ values: UnsafeMutablePointer<Float>!
) -> Int32 {
  ecg_watch_take(watch, beat, nil, values, 1)
}

@c @implementation public func ecg_watch_take(
  _ watch: OpaquePointer!, _ beats: UnsafeMutablePointer<ecg_beat>!, _ decisions: UnsafeMutablePointer<ecg_decision>!,
  _ values: UnsafeMutablePointer<Float>!, _ room: Int
) -> Int32 {
  let taken = object(watch, OpenWatch.self).take(room)
  for (place, (judged, tally)) in taken.enumerated() {
    let (beat, vote) = (judged.beat, judged.vote)
    beats[place] = ecg_beat(
      r_index: beat.rIndex, known_at_s: beat.knownAtSeconds, rr_s: Double(beat.values.last ?? .nan),
      evidence: vote?.evidence ?? .nan, log_odds: tally.logOdds, confidence: judged.decision.confidence,
      decision: judged.decision.outcome.code, reasons: mask(judged.unusable),
      same_as_baseline: Int32(clamping: vote?.sameAsBaseline ?? 0),
      same_as_target: Int32(clamping: vote?.sameAsTarget ?? 0), hard_target: flag(vote?.hardTarget == true),
      is_turned: flag(beat.isTurned))
    if let decisions { decisions[place] = ecg_decision(judged.decision, tally) }
    if let values { (values + place * beat.values.count).update(from: beat.values, count: beat.values.count) }
  }
  return Int32(clamping: taken.count)
}

@c @implementation public func ecg_watch_decision(
  _ watch: OpaquePointer!, _ decision: UnsafeMutablePointer<ecg_decision>!
) {
  decision.pointee = object(watch, OpenWatch.self).known
}

@c @implementation public func ecg_watch_fingerprint(
  _ watch: OpaquePointer!, _ fingerprint: UnsafeMutablePointer<ecg_fingerprint>!
) {
  let found = object(watch, OpenWatch.self).fingerprint
  fingerprint.pointee = ecg_fingerprint(
    evidence: found.evidence, covered_s: found.coveredSeconds, beats: Int32(clamping: found.beats))
}

extension ecg_decision {
  fileprivate init(_ now: ECGDecision, _ tally: Tally) {
    self.init(
      confidence: now.confidence, log_odds: tally.logOdds, level: tally.level,
      provisional_s: now.provisional?.seconds ?? .nan, covered_s: now.coveredSeconds, decision: now.outcome.code,
      provisional: now.provisional?.outcome.code ?? Int32(ECG_NONE),
      provisional_beats: Int32(clamping: now.provisional?.beats ?? 0),
      votes_for_baseline: Int32(clamping: now.votesForBaseline),
      votes_for_target: Int32(clamping: now.votesForTarget), unusable: Int32(clamping: now.unusable),
      is_enough: flag(tally.isEnough), reasons: mask(now.reasons))
  }
}
