/// Sampling, beat window, detector, quality, voting and guard constants of one bundle, as its manifest states them.
///
/// Nothing here has a default: a bundle is always judged by the numbers it was made with.
package struct Contract: Hashable, Sendable {
  /// The contract version that this package reads.
  package static let supportedVersion = 3

  /// Samples a second that the detector and the encoder work at.
  package let sampleRateHz: Int
  /// The first samples of a recording settle and give no beats.
  package let settleSamples: Int
  /// Samples of a beat before its R.
  package let beforeRSamples: Int
  /// Samples of a beat from R on, R included.
  package let afterRSamples: Int
  /// The watch works through what it heard every so many samples.
  package let blockSamples: Int
  /// What the R-peak detector needs to know.
  package let detector: DetectorConstants
  /// What makes a beat unusable.
  package let quality: QualityConstants
  /// How beats become a decision.
  package let voting: VotingConstants
  /// When a recording as a whole is not decided.
  package let guards: GuardConstants

  /// Raw samples in a beat.
  package var windowSamples: Int { beforeRSamples + afterRSamples }

  /// Numbers in a beat: the raw samples, then the RR interval in seconds.
  package var beatLength: Int { windowSamples + 1 }

  /// Reads `contract` of a manifest.
  /// - Throws: ``EdgeECGError/contract(_:)`` on a missing, unknown, mistyped or senseless entry.
  package init(_ json: JSONValue) throws(EdgeECGError) {
    var entries = try ContractEntries(json, name: "contract")
    let version = try entries.count("version")
    guard version == Self.supportedVersion else {
      throw EdgeECGError.contract("contract version is \(version), this package reads \(Self.supportedVersion)")
    }
    sampleRateHz = try entries.integer("sample_rate_hz", in: 512...512)  // of the resampler
    settleSamples = try entries.count("settle_samples")
    beforeRSamples = try entries.integer("before_r_samples", in: 2...100_000)
    afterRSamples = try entries.integer("after_r_samples", in: 4...100_000)
    blockSamples = try entries.integer("block_samples", in: 1...ContractEntries.most)
    detector = try DetectorConstants(entries.value("detector"), name: "contract.detector")
    quality = try QualityConstants(
      entries.value("quality"), name: "contract.quality", beforeR: beforeRSamples, afterR: afterRSamples)
    voting = try VotingConstants(entries.value("voting"), name: "contract.voting")
    guards = try GuardConstants(
      entries.value("guards"), name: "contract.guards", window: beforeRSamples + afterRSamples)
    try entries.requireNoOthers()
  }
}

/// How beats become a decision; ``Tally`` says what each number does.
package struct VotingConstants: Hashable, Sendable {
  /// An ectopic beat and the one after its pause must not decide.
  package let fewestBeats: Int
  /// Accepted rate of "target" on baseline recordings.
  package let alpha: Double
  /// Accepted rate of "baseline" on target recordings.
  package let beta: Double

  init(_ json: JSONValue, name: String) throws(EdgeECGError) {
    var entries = try ContractEntries(json, name: name)
    let rates = 1e-12...0.49  // at 0 and at 1/2 there is no boundary
    fewestBeats = try entries.integer("fewest_beats", in: 1...ContractEntries.most)
    alpha = try entries.number("alpha", in: rates)
    beta = try entries.number("beta", in: rates)
    try entries.requireNoOthers()
  }
}

/// The entries of one object of the contract: each is asked for once, and none may be left over.
struct ContractEntries {
  /// Beyond it no constant makes sense, and sums of a few of them still fit.
  static let most = 1_000_000

  private let name: String
  private var entries: [String: JSONValue]

  init(_ json: JSONValue, name: String) throws(EdgeECGError) {
    guard let members = json.members else { throw EdgeECGError.contract("\(name) is no object with entries by name") }
    self.name = name
    var entries: [String: JSONValue] = [:]
    for member in members { entries[member.key] = member.value }
    self.entries = entries
  }

  mutating func value(_ key: String) throws(EdgeECGError) -> JSONValue {
    guard let value = entries.removeValue(forKey: key) else {
      throw EdgeECGError.contract("\(name) lacks \(key): it is of another version")
    }
    return value
  }

  /// An entry that may be missing.
  mutating func optional(_ key: String) -> JSONValue? { entries.removeValue(forKey: key) }

  mutating func text(_ key: String) throws(EdgeECGError) -> String {
    guard let text = try value(key).text else { throw EdgeECGError.contract("\(name).\(key) is no text") }
    return text
  }

  mutating func integer(_ key: String, in range: ClosedRange<Int>) throws(EdgeECGError) -> Int {
    try integer(key, from: range.lowerBound, to: range.upperBound)
  }

  /// Of limits that hang on other entries there may be none between.
  mutating func integer(_ key: String, from least: Int, to most: Int) throws(EdgeECGError) -> Int {
    guard let value = try value(key).integer, least <= value, value <= most else {
      throw EdgeECGError.contract("\(name).\(key) is no whole number from \(least) to \(most)")
    }
    return value
  }

  /// A count of samples or recordings.
  mutating func count(_ key: String) throws(EdgeECGError) -> Int {
    try integer(key, in: 0...Self.most)
  }

  mutating func number(_ key: String, in range: ClosedRange<Double> = -1e9...1e9) throws(EdgeECGError) -> Double {
    guard let value = try value(key).double, range.contains(value) else {
      throw EdgeECGError.contract("\(name).\(key) is no number in its range")
    }
    return value
  }

  /// A list of so many numbers.
  mutating func numbers(_ key: String, count: Int) throws(EdgeECGError) -> [Double] {
    let numbers = try value(key).items?.map { $0.double } ?? []
    guard numbers.count == count, numbers.allSatisfy({ $0.map { abs($0) <= 1e9 } ?? false }) else {
      throw EdgeECGError.contract("\(name).\(key) is no list of \(count) numbers")
    }
    return numbers.compactMap { $0 }
  }

  /// Second-order sections: rows of b0 b1 b2 a0 a1 a2 with a0 = 1.
  mutating func sections(_ key: String) throws(EdgeECGError) -> [Bandpass.Section] {
    let rows = try value(key).items ?? []
    guard (1...16).contains(rows.count) else {
      throw EdgeECGError.contract("\(name).\(key) is no list of 1 to 16 second-order sections")
    }
    return try rows.map { row throws(EdgeECGError) -> Bandpass.Section in
      let numbers = row.items?.compactMap { $0.double } ?? []
      guard numbers.count == 6, row.items?.count == 6, numbers[3] == 1, numbers.allSatisfy({ abs($0) <= 1e9 }) else {
        throw EdgeECGError.contract("\(name).\(key) has a row that is not b0 b1 b2 1 a1 a2")
      }
      let (a1, a2) = (numbers[4], numbers[5])
      // Poles inside the unit circle (E. I. Jury's conditions), with a margin for rounding.
      guard numbers[..<3].allSatisfy({ abs($0) <= 1000 }), abs(a2) < 1 - 1e-6, abs(a1) < 1 + a2 - 1e-9 else {
        throw EdgeECGError.contract("\(name).\(key) has a filter that does not settle")
      }
      return Bandpass.Section(b0: numbers[0], b1: numbers[1], b2: numbers[2], a1: numbers[4], a2: numbers[5])
    }
  }

  func requireNoOthers() throws(EdgeECGError) {
    if let unknown = entries.keys.min() {
      throw EdgeECGError.contract("\(name) has an unknown entry \(shown(unknown)): it is of another version")
    }
  }
}
