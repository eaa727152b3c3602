import EdgeECG
import Foundation
import Testing

@testable import EdgeECGApple
@testable import EdgeECGUI

/// The model behind the views is plain Swift, so that it runs here; the views are only type-checked.
@MainActor @Suite struct JudgeTests {
  @available(iOS 17, macOS 14, watchOS 10, *)
  @Test func itShowsWhatAReplaySays() async throws {
    let judge = ECGJudge()
    await judge.open(url(Golden.bundlePath))
    #expect(judge.problem == nil && judge.bundle != nil && !judge.isBusy)
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
    #expect(judge.problem == "there is no bundle yet")
    await judge.open(url("/nowhere"))
    #expect(judge.problem == "/nowhere: can't be read: No such file or directory")
    await judge.open(url(Golden.bundlePath))
    let late = try Golden.recording("late")
    await judge.judge(pace: .zero) { (late, doubt: nil) }
    #expect(judge.doubt?.contains("enrol") == true && judge.decision?.outcome == .inconclusive)
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
