import EdgeECG
import Foundation
import Testing

@testable import EdgeECGApple
@testable import EdgeECGCore
@testable import EdgeECGUI

/// The model behind the views is plain Swift, so that it runs here; the views are only type-checked.
@MainActor @Suite struct JudgeTests {
  @available(iOS 17, macOS 14, watchOS 10, *)
  @Test func itShowsWhatAReplaySays() async throws {
    let judge = ECGJudge()
    await judge.open(url(Golden.bundlePath))
    #expect(judge.problem == nil && judge.bundle != nil && judge.activity == nil)
    let (plain, again) = (try Golden.recording("plain"), try Golden.recording("again"))
    await judge.setBaseline { [plain] }
    #expect(judge.baseline?.level.recordings == 1)
    await judge.judge(pace: .zero) { (again, doubt: "the ECG app said: inconclusive") }
    let baseline = try ECGDayBaseline(bundle: Golden.bundle(), recordings: [plain])
    #expect(judge.decision == (try ECGWatch.replay(again, through: Golden.bundle(), dayBaseline: baseline)).decision)
    #expect(judge.progress == 1 && judge.doubt == "the ECG app said: inconclusive" && judge.problem == nil)
    #expect(!judge.trace.rPeaks.isEmpty && judge.trace.rPeaks.allSatisfy(judge.trace.samples.indices.contains))
  }

  @available(iOS 17, macOS 14, watchOS 10, *)
  @Test func whatGoesWrongIsSaid() async throws {
    let judge = ECGJudge()
    await judge.judge { throw EdgeECGError.recording("never asked") }
    #expect(judge.problem == "There is no bundle that can be used: there is no bundle yet")
    await judge.open(url("/nowhere"))
    #expect(judge.problem?.hasSuffix("/nowhere: can't be read: No such file or directory") == true)
    await judge.open(url(Golden.bundlePath))
    let late = try Golden.recording("late")
    await judge.judge(pace: .zero) { (late, doubt: nil) }
    #expect(judge.doubt?.contains("enrol") == true && judge.decision?.outcome == .inconclusive)
  }
}

/// What is asked of a judge while it is at work.
@MainActor @Suite struct TurnTests {
  @available(iOS 17, macOS 14, watchOS 10, *)
  @Test func aBundleThatArrivesDuringARecordingWaitsForItsDecision() async throws {
    let (judge, bundle, plain) = (ECGJudge(), try Golden.bundle(), try Golden.recording("plain"))
    await judge.use(bundle)
    var changed = bundle
    changed.references = try bundle.references.moved(
      by: [Double](repeating: 1, count: bundle.references.embeddingLength),
      distribution: #require(bundle.references.distribution))
    let other = changed
    let (gate, read) = AsyncStream<Void>.makeStream()
    let judging = Task {
      await judge.judge(pace: .zero) {
        for await _ in gate { break }
        return (plain, doubt: nil)
      }
    }
    while judge.activity == nil { await Task.yield() }
    let arriving = Task { await judge.use(other) }
    for _ in 0..<100 { await Task.yield() }
    #expect(judge.bundle?.references == bundle.references)
    read.yield(())
    await judging.value
    await arriving.value
    #expect(judge.bundle?.references == other.references)
    #expect(judge.decision == nil && judge.baseline == nil && judge.progress == 0 && judge.activity == nil)
  }

  @available(iOS 17, macOS 14, watchOS 10, *)
  @Test func recordingsAreJudgedOneAfterTheOther() async throws {
    let (judge, bundle) = (ECGJudge(), try Golden.bundle())
    let (plain, again) = (try Golden.recording("plain"), try Golden.recording("again"))
    await judge.use(bundle)
    async let first: Void = judge.judge(pace: .zero) { (plain, doubt: "first") }
    await Task.yield()
    async let second: Void = judge.judge(pace: .zero) { (again, doubt: "second") }
    _ = await (first, second)
    let last = judge.doubt == "first" ? plain : again
    #expect(judge.decision == (try ECGWatch.replay(last, through: bundle)).decision && judge.progress == 1)
  }

  /// Half a recording has no decision that lasts, and what waits behind it runs.
  @available(iOS 17, macOS 14, watchOS 10, *)
  @Test func aCanceledRecordingGivesWay() async throws {
    let (judge, plain) = (ECGJudge(), try Golden.recording("plain"))
    await judge.use(try Golden.bundle())
    let judging = Task { await judge.judge(pace: .seconds(1)) { (plain, doubt: nil) } }
    while judge.progress == 0 { await Task.yield() }
    let waiting = Task { await judge.judge(pace: .zero) { throw EdgeECGError.recording("never read") } }
    waiting.cancel()
    judging.cancel()
    await judging.value
    await waiting.value
    #expect(judge.problem == nil && judge.activity == nil && judge.progress < 1)
    await judge.judge(pace: .zero) { (plain, doubt: nil) }
    #expect(judge.progress == 1)
  }
}

/// What HealthKit hands over, as far as it can be said without HealthKit.
@Suite struct HealthECGTests {
  @Test func whatIsMissingStaysMissing() throws {
    var samples = TimedSamples(rateHz: 512)
    for index in [0, 1, 2, 6, 7] { try samples.add(Double(index), at: Double(index) / 512 + 1e-4) }
    try samples.add(nil, at: 8 / 512)
    #expect(samples.microvolts.count == 9)
    for (index, value) in samples.microvolts.enumerated() {
      #expect([3, 4, 5, 8].contains(index) ? value.isNaN : value == Double(index))
    }
    var drifting = TimedSamples(rateHz: 512)  // recorded at 511, in truth
    for index in 0..<15_000 { try drifting.add(1, at: Double(index) / 511) }
    #expect(drifting.microvolts.count == 15_000)
    var jittering = TimedSamples(rateHz: 512)
    for index in 0..<1000 { try jittering.add(1, at: (Double(index) + (index % 2 == 0 ? 0 : 0.6)) / 512) }
    #expect(jittering.microvolts.count == 1000)
    #expect(throws: EdgeECGError.self) { try samples.add(1, at: 0) }
    #expect(throws: EdgeECGError.self) { try samples.add(1, at: 1e9) }
    #expect(throws: EdgeECGError.self) { try samples.add(1, at: .nan) }
  }

  /// An ECG as HealthKit keeps it.
  private struct Stored: HealthECGSource {
    var id = "1"
    var start = Date(timeIntervalSince1970: 1_709_251_140)  // 2024-02-29 23:59 in UTC
    var timeZone: String? = "Asia/Tokyo"
    var sampleRateHz: Double? = 512
    var count = 0
    var classification = ECGClassification.sinusRhythm
    var noted: [ECGSymptom] = []
    var values: [HealthMeasurement] = []

    var measurements: AsyncStream<HealthMeasurement> {
      AsyncStream { continuation in
        for value in values { continuation.yield(value) }
        continuation.finish()
      }
    }

    func symptoms() async throws -> [ECGSymptom] { noted }

    /// A recording's samples, but for some that HealthKit has no voltage for and some that it has not at all.
    static func of(_ recording: ECGRecording, unmeasured: Range<Int> = 0..<0, skipped: Range<Int> = 0..<0) -> Stored {
      var stored = Stored(sampleRateHz: recording.sampleRateHz)
      for (index, sample) in recording.samplesMicrovolts.enumerated() where !skipped.contains(index) {
        stored.values.append(
          HealthMeasurement(
            microvolts: unmeasured.contains(index) ? nil : sample, seconds: Double(index) / recording.sampleRateHz))
      }
      stored.count = stored.values.count
      return stored
    }
  }

  /// The same gap, whether voltages are missing in it or measurements.
  @Test func gapsOfHealthKitAreGaps() async throws {
    let (plain, gap) = (try Golden.recording("plain"), 5000..<5100)
    let whole = try await HealthECG(Stored.of(plain)).recording
    #expect(whole.samplesMicrovolts == plain.samplesMicrovolts && whole.sampleRateHz == plain.sampleRateHz)
    for stored in [Stored.of(plain, unmeasured: gap), .of(plain, skipped: gap)] {
      let recording = try await HealthECG(stored).recording
      #expect(recording.samplesMicrovolts.count == plain.samplesMicrovolts.count)
      let missing = recording.samplesMicrovolts.indices.filter { recording.samplesMicrovolts[$0].isNaN }
      #expect(missing == Array(gap))
      let replayed = try ECGWatch.replay(recording, through: Golden.bundle())
      #expect(replayed.judged.contains { $0.unusable.contains(.missing) && $0.vote == nil })
    }
  }

  @Test func aHealthECGIsOfTheDayOfItsOwnTimeZone() async throws {
    var stored = Stored.of(try Golden.recording("plain"))
    #expect(try await HealthECG(stored).recording.recordedAt == "2024-03-01 08:59:00 +0900")
    stored.timeZone = "America/New_York"
    #expect(try await HealthECG(stored).recording.day?.description == "2024-02-29")
    stored.timeZone = nil
    #expect(try await HealthECG(stored).recording.day != nil)
  }

  @Test func whatTheECGAppAndThePersonNotedIsKept() async throws {
    var stored = Stored.of(try Golden.recording("plain"))
    (stored.classification, stored.noted) = (.poorReading, [.dizziness])
    let ecg = try await HealthECG(stored)
    #expect(ecg.classification == .poorReading && ecg.symptoms == [.dizziness] && ecg.doubt?.contains("; ") == true)
  }

  @Test func halfAnECGIsAnError() async throws {
    var stored = Stored.of(try Golden.recording("plain"))
    stored.count += 1
    let short = stored
    let error = try await #require(throws: EdgeECGError.self) { _ = try await HealthECG(short) }
    #expect(error.message.contains("gave \(short.count - 1) of its \(short.count) measurements"))
    stored = .of(try Golden.recording("plain"))
    stored.sampleRateHz = nil
    let unrated = stored
    await #expect(throws: EdgeECGError.self) { _ = try await HealthECG(unrated) }
    let canceled = Task { try await HealthECG(short) }
    canceled.cancel()
    await #expect(throws: (any Error).self) { _ = try await canceled.value }
  }

  @Test func anECGThatIsNoSinusRhythmIsDoubted() throws {
    let recording = try Golden.recording("plain")
    #expect(HealthECG(recording: recording, classification: .sinusRhythm).doubt == nil)
    for classification in ECGClassification.allCases where classification != .sinusRhythm {
      let doubt = try #require(HealthECG(recording: recording, classification: classification).doubt)
      #expect(doubt.contains(classification.rawValue))
    }
    let noted = HealthECG(recording: recording, classification: .sinusRhythm, symptoms: [.dizziness, .fatigue])
    #expect(noted.doubt == "noted with it: dizziness, fatigue")
  }

  /// With a gap, which JSON has no number for.
  @Test func anECGIsWrittenAndReadBack() throws {
    let whole = try Golden.recording("plain")
    let samples = [.nan] + whole.samplesMicrovolts.dropFirst()
    let ecg = HealthECG(
      recording: try ECGRecording(
        samplesMicrovolts: samples, sampleRateHz: whole.sampleRateHz, source: "a gap", recordedAt: whole.recordedAt),
      classification: .sinusRhythm, symptoms: [.fatigue])
    let readBack = try JSONDecoder().decode(HealthECG.self, from: JSONEncoder().encode(ecg))
    #expect(readBack.recording.samplesMicrovolts[0].isNaN)
    #expect(readBack.recording.samplesMicrovolts.dropFirst() == whole.samplesMicrovolts.dropFirst())
    #expect(readBack.recording.day == whole.day && readBack.symptoms == ecg.symptoms)
    let short = #"{"samplesMicrovolts": [1, null, 900], "sampleRateHz": 512, "source": ""}"#
    #expect(throws: EdgeECGError.self) { try JSONDecoder().decode(ECGRecording.self, from: Data(short.utf8)) }
  }
}

/// The observer's reports as a sequence.
@Suite struct HealthUpdateTests {
  /// HealthKit may put the app to sleep when a report is answered: after the body of the loop, and not before.
  @Test func aReportIsAnsweredAfterTheBodyOfTheLoop() async throws {
    let (answers, answer) = AsyncStream<Int>.makeStream()
    let updates = HealthUpdates { reports in
      for number in 1...3 { reports.yield(HealthUpdates.Report { answer.yield(number) }) }
    }
    var heard = 0
    var answered = answers.makeAsyncIterator()
    for try await _ in updates {
      heard += 1
      if heard > 1 { #expect(await answered.next() == heard - 1) }
      if heard == 3 { break }
    }
    #expect(await answered.next() == 3)
  }

  @Test func anErrorEndsTheLoop() async throws {
    let updates = HealthUpdates { $0.finish(throwing: EdgeECGError.recording("no leave")) }
    await #expect(throws: EdgeECGError.self) { for try await _ in updates {} }
  }

  /// Leaving the loop and canceling its task both stop the query.
  @Test func leavingTheLoopStopsTheQuery() async throws {
    let (stops, stop) = AsyncStream<Void>.makeStream()
    let updates = HealthUpdates { reports in
      reports.onTermination = { _ in stop.yield(()) }
      reports.yield(HealthUpdates.Report {})
    }
    var stopped = stops.makeAsyncIterator()
    for try await _ in updates { break }
    #expect(await stopped.next() != nil)
    let task = Task { for try await _ in updates {} }
    task.cancel()
    try await task.value
    #expect(await stopped.next() != nil)
  }
}
