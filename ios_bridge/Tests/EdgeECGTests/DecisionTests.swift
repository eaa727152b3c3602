import Foundation
import Testing

@testable import EdgeECG
@testable import EdgeECGCore

/// The rule of `edge_ecg/inference/levels.py` and `votes.py`: its worked examples, and what must hold of any evidence.
@Suite struct DecisionTests {
  private static let levels = """
    {"beats": [3, 5, 8, 12, 20, 30],
     "baseline": {"dates": 13, "mean": [-3.37, -3.41, -3.41, -3.45, -3.48, -3.53],
      "between": [2.68, 2.57, 2.77, 2.78, 2.92, 2.99], "within": [1.54, 1.27, 1.0, 0.9, 0.79, 0.64]},
     "target": {"dates": 7, "mean": [3.06, 2.97, 2.97, 3.03, 3.12, 3.22],
      "between": [1.41, 1.67, 1.61, 1.49, 1.44, 1.33], "within": [1.29, 1.38, 1.2, 1.15, 1.02, 0.99]}}
    """

  private static func rule(_ levels: String = levels) throws -> DecisionRule {
    let voting = #"{"fewest_beats": 3, "alpha": 0.05, "beta": 0.05}"#
    return DecisionRule(
      labels: ECGLabels(baseline: "fasting", target: "glucose"),
      levels: try Levels(JSONValue(parsing: Array(levels.utf8))),
      constants: try VotingConstants(JSONValue(parsing: Array(voting.utf8)), name: "voting"))
  }

  private static func vote(_ evidence: Double) -> ECGVote {
    ECGVote(sameAsBaseline: 0, sameAsTarget: 0, hardTarget: evidence > 0, evidence: evidence)
  }

  static let examples:
    [(level: Double, beats: Int, day: ECGDayLevel?, logOdds: Double, label: String, confidence: Double)] =
      [
        (-1.2, 33, nil, -1.996063290962205, "inconclusive", 0.875),
        (-1.2, 33, ECGDayLevel(level: -0.6, recordings: 2, beats: 31), -3.370347905408484, "fasting", 0.875),
        (
          0.9, 6, ECGDayLevel(level: -2.5, recordings: 2, beats: 34), 2.0681890187695036, "inconclusive",
          0.8877726557643844
        ),
        (2.4, 4, nil, 3.267076450391003, "glucose", 0.9285714285714286),
      ]

  @Test(arguments: examples.indices)
  func workedExamples(index: Int) throws {
    let example = Self.examples[index]
    let rule = try Self.rule()
    let logOdds = try #require(rule.levels).logOdds(level: example.level, beats: example.beats, day: example.day)
    #expect(abs(logOdds - example.logOdds) < 1e-12)
    var tally = Tally(rule, day: example.day)
    for second in 1...example.beats { tally.add(Self.vote(example.level), seconds: Double(second)) }
    #expect(tally.decision.label == example.label)
    #expect(abs(tally.decision.confidence - example.confidence) < 1e-12)
    #expect(abs(rule.upper - 2.9444389791664403) < 1e-15)
  }

  /// Student's density with many degrees of freedom is the normal one, and with one it is Cauchy's.
  @Test func densitiesAreStudents() {
    let cauchy = Levels.State(dates: 2, mean: [0], between: [0], within: [1])
    #expect(abs(cauchy.logDensity(3, mean: 1, variance: 4) - log(1 / (Double.pi * 2 * (1 + 1)))) < 1e-14)
    let normal = Levels.State(dates: 100_000, mean: [0], between: [0], within: [1])
    #expect(abs(normal.logDensity(3, mean: 1, variance: 4) - (-0.5 * log(2 * Double.pi * 4) - 0.5)) < 1e-4)
  }

  @Test func whatLaterBeatsContradictIsInconclusive() throws {
    var tally = Tally(try Self.rule())
    for second in 1...3 { tally.add(Self.vote(-4), seconds: Double(second)) }
    let first = tally.decision.provisional
    #expect(first == ECGDecision.Provisional(outcome: .baseline, label: "fasting", beats: 3, seconds: 3))
    #expect(tally.decision.label == "fasting")
    for second in 4...40 { tally.add(Self.vote(4), seconds: Double(second)) }
    #expect(tally.logOdds > 3)
    #expect(tally.decision.label == ECGDecision.inconclusive && tally.decision.provisional == first)
    for second in 41...400 { tally.add(Self.vote(-4), seconds: Double(second)) }
    #expect(tally.decision.label == "fasting" && tally.decision.provisional == first)
  }

  @Test func nothingIsDecidedWhileMostBeatsAreUnusable() throws {
    var tally = Tally(try Self.rule())
    for _ in 0..<5 { tally.skip() }
    for second in 1...4 { tally.add(Self.vote(-4), seconds: Double(second)) }
    #expect(tally.decision.label == ECGDecision.inconclusive && tally.decision.confidence == 0.5)
    tally.add(Self.vote(-4), seconds: 5)
    #expect(tally.decision.label == "fasting")
    tally.add(Self.vote(.nan), seconds: 6)
    #expect(
      tally.decision.beats == 5 && tally.decision.unusable == 6 && tally.decision.label == ECGDecision.inconclusive)
    #expect(tally.decision.provisional?.label == "fasting")
  }

  @Test func withoutLevelsNothingIsEverDecided() throws {
    var tally = Tally(try Self.rule("null"))
    for second in 1...99 { tally.add(Self.vote(-9), seconds: Double(second)) }
    #expect(tally.decision.label == ECGDecision.inconclusive && tally.decision.confidence == 0.5)
    #expect(try Self.rule("null").description() == "no levels: too few dates")
  }

  static let spoilt: [(String, String)] = [
    ("[3, 5,", "[3, 3,"), ("[3, 5,", "[0, 5,"), ("[3, 5,", "[5,"), ("\"beats\"", "\"beat\""), ("13", "1"),
    ("13", "13.0"), ("-3.37", "null"), ("-3.37", "1.1e9"), ("2.68", "-0.1"), ("1.54", "0"), ("\"mean\"", "\"mode\""),
    ("\"dates\": 7,", "\"dates\": 7, \"more\": 1,"), ("\"beats\"", "\"more\": 1, \"beats\""),
  ]

  @Test(arguments: spoilt)
  func levelsThatCannotBeAreRefused(from: String, to: String) throws {
    let text = Self.levels.replacingOccurrences(of: from, with: to)
    #expect(text != Self.levels)
    #expect(throws: EdgeECGError.self) { try Self.rule(text) }
  }

  @Test func theDaysBaselineIsOfOneDay() throws {
    let bundle = try Golden.bundle()
    let (plain, late) = (try Golden.recording("plain"), try Golden.recording("late"))
    let baseline = try ECGDayBaseline(bundle: bundle, recordings: [plain])
    #expect(baseline.day == plain.day && baseline.level.recordings == 1 && baseline.level.beats >= 3)
    #expect(throws: EdgeECGError.self) { try ECGDayBaseline(bundle: bundle, recordings: []) }
    let outOfDate = try #require(throws: EdgeECGError.self) { try ECGDayBaseline(bundle: bundle, recordings: [late]) }
    #expect(outOfDate.message.contains("beats can't be judged: out of date"))
    #expect(throws: EdgeECGError.self) { try ECGWatch(bundle: bundle, day: late.day, dayBaseline: baseline) }
    let watch = try ECGWatch(bundle: bundle, day: plain.day, dayBaseline: baseline)
    #expect(watch.decision.label == ECGDecision.inconclusive)
  }

  @Test func decisionsArePassedOnAsJSON() throws {
    let replayed = try ECGWatch.replay(Golden.recording("plain"), through: Golden.bundle())
    let content = try JSONEncoder().encode(replayed)
    #expect(try JSONDecoder().decode(ECGReplay.self, from: content) == replayed)
  }
}
