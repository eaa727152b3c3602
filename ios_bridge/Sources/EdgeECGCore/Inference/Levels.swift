/// Levels: what recordings of either state usually say, how much that varies from day to day, and what it makes of one.
///
/// The level of a recording is the mean evidence of its beats. Recordings of one date share a part of it that more
/// beats never average away, so the date is a random effect. `edge_ecg/inference/levels.py` has the formulas and their
/// sources.
package struct Levels: Hashable, Sendable {
  /// The levels of one state; an entry of each list for each number of beats.
  package struct State: Hashable, Sendable {
    /// The dates that they are from.
    package let dates: Int
    /// Their mean.
    package let mean: [Double]
    /// The variance of dates.
    package let between: [Double]
    /// The variance of recordings of one date.
    package let within: [Double]

    private let logScale: Double

    init(dates: Int, mean: [Double], between: [Double], within: [Double]) {
      (self.dates, self.mean, self.between, self.within) = (dates, mean, between, within)
      logScale = Self.logScale(freedom: dates - 1)
    }

    /// What so many dates can support at most: one error in one date more.
    var mostConfident: Double { Double(dates) / Double(dates + 1) }

    /// The squared scale of a recording's level where nothing is known of its day.
    func variance(_ entry: Int) -> Double { between[entry] * (1 + 1 / Double(dates)) + within[entry] }

    /// The logarithm of Student's density, with a degree of freedom less than there are dates.
    func logDensity(_ x: Double, mean: Double, variance: Double) -> Double {
      let freedom = Double(dates - 1)
      let away = (x - mean) * (x - mean) / variance
      return logScale - 0.5 * Maths.log(freedom * Double.pi * variance) - (freedom + 1) / 2
        * Maths.log1p(away / freedom)
    }

    /// log Γ((f + 1) / 2) - log Γ(f / 2), from one f to the next by Γ(x + 1) = x Γ(x).
    private static func logScale(freedom: Int) -> Double {
      (1..<freedom).reduce(-0.5 * Maths.log(Double.pi)) { scale, f in Maths.log(Double(f) / 2) - scale }
    }
  }

  static let mostDates = 100_000

  /// After how many beats each entry holds, ascending; between two of them the smaller one does.
  package let beats: [Int]
  /// The baseline's.
  package let baseline: State
  /// The target's.
  package let target: State

  /// `levels` of a manifest; nothing if it is null: too few dates were known.
  /// - Throws: ``EdgeECGError/contract(_:)`` for anything else.
  init?(_ json: JSONValue) throws(EdgeECGError) {
    if json == .null { return nil }
    var entries = try ContractEntries(json, name: "levels")
    let beats = try entries.value("beats").items?.map { $0.integer } ?? []
    guard !beats.isEmpty, beats.allSatisfy({ (1...ContractEntries.most).contains($0 ?? 0) }) else {
      throw EdgeECGError.contract("levels.beats is not a list of numbers of beats")
    }
    self.beats = beats.compactMap { $0 }
    guard zip(self.beats, self.beats.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw EdgeECGError.contract("levels.beats does not ascend")
    }
    baseline = try State(entries.value("baseline"), name: "levels.baseline", count: beats.count)
    target = try State(entries.value("target"), name: "levels.target", count: beats.count)
    try entries.requireNoOthers()
  }

  /// Log odds that a recording with this mean evidence of so many beats is of the target state.
  package func logOdds(level: Double, beats: Int, day: ECGDayLevel? = nil) -> Double {
    let entry = entry(beats)
    var (mean, variance) = (baseline.mean[entry], baseline.variance(entry))
    if let day {
      let then = self.entry(day.beats)
      let share = baseline.between[then] / (baseline.between[then] + baseline.within[then] / Double(day.recordings))
      mean += share * (day.level - baseline.mean[then])
      variance = baseline.between[entry] * (1 - share) + baseline.within[entry]
    }
    let same = baseline.logDensity(level, mean: mean, variance: variance)
    return target.logDensity(level, mean: target.mean[entry], variance: target.variance(entry)) - same
  }

  /// The highest confidence for a label: to be sure of one state is to know many dates of the other.
  func mostConfident(isTarget: Bool) -> Double { (isTarget ? baseline : target).mostConfident }

  private func entry(_ count: Int) -> Int { max(0, (beats.firstIndex { $0 > count } ?? beats.count) - 1) }
}

extension Levels.State {
  fileprivate init(_ json: JSONValue, name: String, count: Int) throws(EdgeECGError) {
    var entries = try ContractEntries(json, name: name)
    let dates = try entries.integer("dates", in: 2...Levels.mostDates)
    let mean = try entries.numbers("mean", count: count)
    let between = try entries.numbers("between", count: count)
    let within = try entries.numbers("within", count: count)
    guard between.allSatisfy({ $0 >= 0 }), within.allSatisfy({ $0 >= 1e-12 }) else {
      throw EdgeECGError.contract("\(name) has a variance between dates below 0, or none within a date")
    }
    try entries.requireNoOthers()
    self.init(dates: dates, mean: mean, between: between, within: within)
  }
}

/// The level of the day's baseline recordings.
public struct ECGDayLevel: Hashable, Sendable {
  /// The mean over the recordings.
  public let level: Double
  /// How many they are.
  public let recordings: Int
  /// Beats of the shortest of them.
  public let beats: Int

  /// A level that is known already.
  public init(level: Double, recordings: Int, beats: Int) {
    (self.level, self.recordings, self.beats) = (level, recordings, beats)
  }
}

#if !hasFeature(Embedded)
  extension ECGDayLevel: Codable {}
#endif
