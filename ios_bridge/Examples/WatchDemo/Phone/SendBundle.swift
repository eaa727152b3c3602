import EdgeECG
import Foundation
import WatchConnectivity

/// Sends a packed bundle to the watch, for an iPhone app: `edge-ecg pack BUNDLE --out person.ecgbundle` made it.
final class BundleSender: NSObject, WCSessionDelegate, Sendable {
  override init() {
    super.init()
    guard WCSession.isSupported() else { return }
    WCSession.default.delegate = self
    WCSession.default.activate()
  }

  /// Verifies the file and queues it; it arrives when both are near each other, the app need not run until then.
  /// - Throws: `EdgeECGError` if the file can't be used, or the session is not active yet.
  func send(_ url: URL) throws {
    _ = try ECGBundle(contentsOf: url)
    guard WCSession.default.activationState == .activated else {
      throw EdgeECGError.bundle("\(url.lastPathComponent): there is no session with the watch yet")
    }
    _ = WCSession.default.transferFile(url, metadata: nil)
  }

  func session(
    _ session: WCSession, activationDidCompleteWith activationState: WCSessionActivationState, error: (any Error)?
  ) {
    if let error { print("no connection to the watch: \(error.localizedDescription)") }
  }

  func session(_ session: WCSession, didFinish fileTransfer: WCSessionFileTransfer, error: (any Error)?) {
    if let error { print("the bundle did not arrive: \(error.localizedDescription)") }
  }

  func sessionDidBecomeInactive(_ session: WCSession) {}

  /// Another watch was chosen.
  func sessionDidDeactivate(_ session: WCSession) { WCSession.default.activate() }
}
