/// Why a recording as a whole is not decided, whatever its beats say.
public enum ECGRecordingReason: String, Hashable, Sendable, CaseIterable {
  /// The beats that voted cover too small a part of its time.
  case tooLittle = "too little of it usable"
  /// Many beats in succession are out of distribution, as where another person's ECG begins.
  case anotherPerson = "long out of distribution"
  /// Its parts disagree, as where a recording of the other state begins.
  case change = "its parts disagree"
  /// Beats are copies of others.
  case copies = "repeated beats"
  /// Successive RR intervals differ more than this person's do.
  case irregular = "irregular rhythm"
  /// It is among the recordings of the day's baseline that it is compared with.
  case ownBaseline = "its own day's baseline"
}

#if !hasFeature(Embedded)
  extension ECGRecordingReason: Codable {}
#endif

/// When a recording as a whole is not decided; ``ECGRecordingReason`` has a case for each.
package struct GuardConstants: Hashable, Sendable {
  /// The beats that vote cover this part of the time after settling.
  package let coverage: Double
  /// So many beats out of distribution in succession are another person's.
  package let strangeBeats: Int
  /// A change is looked for in this many of the latest beats ...
  package let changeBeats: Int
  /// ... with at least this many on either side.
  package let partBeats: Int
  /// Beats are copies if 1 minus their correlation is below this ...
  package let copy: Double
  /// ... by every so many-th sample, ...
  package let comparedStep: Int
  /// ... compared with this many of the latest beats; ...
  package let comparedBeats: Int
  /// ... and a recording is a repetition if this part of its beats are.
  package let copies: Double

  init(_ json: JSONValue, name: String, window: Int) throws(EdgeECGError) {
    var entries = try ContractEntries(json, name: name)
    coverage = try entries.number("coverage", in: 0...1)
    strangeBeats = try entries.integer("strange_beats", in: 1...ContractEntries.most)
    partBeats = try entries.integer("part_beats", in: 1...10_000)
    changeBeats = try entries.integer("change_beats", from: 2 * partBeats, to: 100_000)
    copy = try entries.number("copy", in: 0...2)
    comparedStep = try entries.integer("compared_step", from: 1, to: window / 2)
    comparedBeats = try entries.integer("compared_beats", in: 1...10_000)
    copies = try entries.number("copies", in: 0...1)
    try entries.requireNoOthers()
  }
}

/// How far recordings of this person go, from training.
package struct GuardLimits: Hashable, Sendable {
  /// The largest change of evidence within a recording.
  package let change: Double
  /// By which part of itself an RR interval usually differs from the one before, at most.
  package let rrChange: Double

  /// Reads `guards` of a manifest; nothing if training had too few recordings to know them.
  /// - Throws: ``EdgeECGError/contract(_:)`` for anything else than two numbers above 0.
  package init?(_ json: JSONValue) throws(EdgeECGError) {
    if json == .null { return nil }
    var entries = try ContractEntries(json, name: "guards")
    let above = Double.leastNonzeroMagnitude...1e9
    change = try entries.number("change", in: above)
    rrChange = try entries.number("rr_change", in: above)
    try entries.requireNoOthers()
  }
}

/// What two recordings share only if they have the same beats.
struct Fingerprint: Hashable, Sendable {
  private static let sameEvidence = 1e-4  // of a beat: engines add up in other orders
  private static let sameSeconds = 1e-6

  var beats = 0
  var evidence = 0.0
  var coveredSeconds = 0.0

  /// Whether it is of the same beats, whatever engine took it.
  func matches(_ other: Fingerprint) -> Bool {
    beats == other.beats && abs(coveredSeconds - other.coveredSeconds) < Self.sameSeconds
      && abs(evidence - other.evidence) <= Self.sameEvidence * Double(beats)
  }
}

/// Watches one recording for reasons not to decide. Its memory does not grow with the recording.
struct Guards: Sendable {
  /// Of the beats so far.
  private(set) var fingerprint = Fingerprint()

  private let constants: GuardConstants
  private let limits: GuardLimits?
  private let settleSeconds: Double
  private let baseline: [Fingerprint]
  private var evidence: [Double] = []  // of the latest beats
  private var shapes: [[Double]] = []  // of the latest beats, length 1 each
  private var copies = 0
  private var strange = 0
  private var longestStrange = 0
  private var previousRR: Double?
  private var rrPairs = 0
  private var irregularPairs = 0

  /// - Parameters:
  ///   - limits: without them, changes and rhythm are not watched.
  ///   - baseline: of the day's baseline recordings.
  init(_ contract: Contract, limits: GuardLimits?, baseline: [Fingerprint]) {
    (constants, self.limits, self.baseline) = (contract.guards, limits, baseline)
    settleSeconds = Double(contract.settleSamples) / Double(contract.sampleRateHz)
  }

  mutating func reset() {
    let empty = Guards(constants: constants, limits: limits, settleSeconds: settleSeconds, baseline: baseline)
    self = empty
  }

  private init(constants: GuardConstants, limits: GuardLimits?, settleSeconds: Double, baseline: [Fingerprint]) {
    (self.constants, self.limits, self.settleSeconds, self.baseline) = (constants, limits, settleSeconds, baseline)
  }

  /// A beat that voted, and its evidence.
  mutating func add(_ values: [Float], evidence ofBeat: Double) {
    let rr = Double(values[values.count - 1])
    fingerprint.coveredSeconds += rr
    fingerprint.evidence += ofBeat
    evidence.append(ofBeat)
    if evidence.count > constants.changeBeats { evidence.removeFirst() }
    strange = 0
    if let limits, let previousRR {
      rrPairs += 1
      irregularPairs += abs(rr - previousRR) > limits.rrChange * rr ? 1 : 0
    }
    previousRR = rr
    copies += isCopy(values[..<(values.count - 1)]) ? 1 : 0
    fingerprint.beats += 1
  }

  /// A beat that did not vote, and why.
  mutating func skip(_ reasons: [ECGBeatReason]) {
    previousRR = nil
    strange = reasons.count == 1 && reasons[0] == .outOfDistribution ? strange + 1 : 0
    longestStrange = max(longestStrange, strange)
  }

  private mutating func isCopy(_ samples: ArraySlice<Float>) -> Bool {
    var shape: [Double] = []
    var sum = 0.0
    for index in stride(from: samples.startIndex, to: samples.endIndex, by: constants.comparedStep) {
      shape.append(Double(samples[index]))
      sum += Double(samples[index])
    }
    let mean = sum / Double(shape.count)
    var power = 0.0
    for index in shape.indices {
      shape[index] -= mean
      power += shape[index] * shape[index]
    }
    let length = power > 0 ? power.squareRoot() : 1
    for index in shape.indices { shape[index] /= length }
    var alike = 0.0
    for other in shapes {
      var correlation = 0.0
      for index in shape.indices { correlation += shape[index] * other[index] }
      alike = max(alike, correlation)
    }
    let place = fingerprint.beats % constants.comparedBeats
    if place < shapes.count { shapes[place] = shape } else { shapes.append(shape) }
    return alike > 1 - constants.copy
  }

  /// Why the recording is not decided if it ends after so many seconds; nothing if it may be.
  func reasons(_ seconds: Double) -> [ECGRecordingReason] {
    let beats = fingerprint.beats
    var reasons: [ECGRecordingReason] = []
    if fingerprint.coveredSeconds < constants.coverage * (seconds - settleSeconds) { reasons.append(.tooLittle) }
    if longestStrange >= constants.strangeBeats { reasons.append(.anotherPerson) }
    if let limits, largestChange > limits.change { reasons.append(.change) }
    if Double(copies) > constants.copies * Double(beats) { reasons.append(.copies) }
    if irregularPairs * 2 > max(rrPairs, constants.partBeats) { reasons.append(.irregular) }
    if beats > 0, baseline.contains(where: { $0.matches(fingerprint) }) { reasons.append(.ownBaseline) }
    return reasons
  }

  /// max over k of |mean of the first k - mean of the rest| sqrt(k (n - k) / n), each part of `partBeats` or more.
  private var largestChange: Double {
    let n = evidence.count
    guard n >= 2 * constants.partBeats else { return 0 }
    let whole = evidence.reduce(0, +)
    var (first, largest) = (0.0, 0.0)
    for k in 1...(n - constants.partBeats) {
      first += evidence[k - 1]
      guard k >= constants.partBeats else { continue }
      let difference = first / Double(k) - (whole - first) / Double(n - k)
      largest = max(largest, abs(difference) * (Double(k * (n - k)) / Double(n)).squareRoot())
    }
    return largest
  }
}
