import EdgeECG
import EdgeECGApple
import EdgeECGUI
import Foundation

/// The person whose watch it is: their bundle as the iPhone sends it, and their ECGs in Health.
@MainActor final class Person {
  private nonisolated static let baselineRecordings = 2

  let judge = ECGJudge()
  private let receiver = BundleReceiver()

  /// Listens to the iPhone and to Health, for as long as the app runs.
  func start() {
    receiver.activate()
    Task { await followBundles() }
    Task { await followHealth() }
  }

  /// The latest two ECGs, which must be of one day and of the baseline, are what the others are compared with.
  func takeBaseline() async {
    await judge.setBaseline {
      let recordings = HealthKitRecordings()
      try await recordings.authorize()
      let latest = try await recordings.latest(Self.baselineRecordings)
      guard latest.count == Self.baselineRecordings else {
        throw EdgeECGError.recording(NSLocalizedString("take two ECGs of the baseline first", comment: ""))
      }
      var taken: [ECGRecording] = []
      for electrocardiogram in latest {
        let ecg = try await recordings.read(electrocardiogram)
        if let doubt = ecg.doubt {
          throw EdgeECGError.recording("\(NSLocalizedString("not used as the baseline", comment: "")): \(doubt)")
        }
        taken.append(ecg.recording)
      }
      return taken
    }
  }

  /// The latest ECG, against the day's baseline if there is one.
  func judgeLatest() async {
    await judge.judge {
      let recordings = HealthKitRecordings()
      try await recordings.authorize()
      guard let latest = try await recordings.latest().first else {
        throw EdgeECGError.recording(NSLocalizedString("no ECG in Health, or no leave to read it", comment: ""))
      }
      let ecg = try await recordings.read(latest)
      return (ecg.recording, ecg.doubt)
    }
  }

  /// Opens the bundle that is here, unless one is open.
  func openBundle() async {
    guard judge.bundle == nil else { return }
    let isKept = FileManager.default.fileExists(atPath: BundleReceiver.kept.path)
    let shipped = Bundle.main.url(forResource: "person", withExtension: "ecgbundle")
    if let url = isKept ? BundleReceiver.kept : shipped { await judge.open(url) }
  }

  /// Opens the bundle that is here, and each that the iPhone sends.
  private func followBundles() async {
    await openBundle()
    for await url in receiver.received { await judge.open(url) }
  }

  /// Judges each ECG that is saved while the app runs or sleeps, if there is a baseline of the day: the first two of a
  /// morning are what becomes it.
  private func followHealth() async {
    let recordings = HealthKitRecordings()
    do {
      try await recordings.authorize()
      for try await _ in recordings.updates() where judge.bundle != nil && judge.baseline != nil {
        await judgeLatest()
      }
    } catch {
      print("Health can't be observed: \(error)")
    }
  }
}
