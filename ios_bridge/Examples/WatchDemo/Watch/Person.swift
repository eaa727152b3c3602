import EdgeECG
import EdgeECGApple
import EdgeECGUI
import Foundation

/// The person whose watch it is: their bundle as the iPhone sends it, and their ECGs in Health.
@MainActor final class Person {
  private nonisolated static let baselineRecordings = 2

  let judge = ECGJudge()
  private let receiver = BundleReceiver()

  /// Opens the bundle that is here, and each that the iPhone sends.
  func followBundles() async {
    let isKept = FileManager.default.fileExists(atPath: BundleReceiver.kept.path)
    let shipped = Bundle.main.url(forResource: "person", withExtension: "ecgbundle")
    if let url = isKept ? BundleReceiver.kept : shipped { await judge.open(url) }
    for await url in receiver.received() { await judge.open(url) }
  }

  /// Judges each ECG that is saved while the app runs or sleeps, against the morning's baseline if there is one.
  func followHealth() async {
    let recordings = HealthKitRecordings()
    do {
      try await recordings.authorize()
      try await recordings.observe { [weak self] in await self?.judgeNew() }
    } catch {
      print("Health can't be observed: \(error.localizedDescription)")
    }
  }

  /// The latest two ECGs, which must be of one day and of the baseline, are what the others are compared with.
  func takeBaseline() async {
    await judge.setBaseline {
      let recordings = HealthKitRecordings()
      try await recordings.authorize()
      let latest = try await recordings.latest(Self.baselineRecordings)
      guard latest.count == Self.baselineRecordings else {
        throw EdgeECGError.recording(
          "\(latest.count) ECGs in Health; take \(Self.baselineRecordings) of the baseline first")
      }
      var taken: [ECGRecording] = []
      for electrocardiogram in latest {
        let ecg = try await recordings.read(electrocardiogram)
        if let doubt = ecg.doubt { throw EdgeECGError.recording("no baseline: \(doubt)") }
        taken.append(ecg.recording)
      }
      return taken
    }
  }

  func judgeLatest() async {
    await judge.judge {
      let recordings = HealthKitRecordings()
      try await recordings.authorize()
      guard let latest = try await recordings.latest().first else {
        throw EdgeECGError.recording("no ECG in Health, or no leave to read it")
      }
      let ecg = try await recordings.read(latest)
      return (ecg.recording, ecg.doubt)
    }
  }

  /// A new ECG is judged when there is a baseline of the day: the first two of a morning are what becomes it.
  private func judgeNew() async {
    guard judge.bundle != nil, judge.baseline != nil, !judge.isBusy else { return }
    await judgeLatest()
  }
}
