import EdgeECG
import Foundation
import WatchConnectivity

/// Sends a packed bundle to the watch: `edge-ecg pack BUNDLE --out person.ecgbundle` made it.
final class BundleSender: NSObject, WCSessionDelegate, Sendable {
  /// Begins the session with the watch. The session keeps no strong reference: hold the sender.
  func activate() {
    guard WCSession.isSupported() else { return }
    WCSession.default.delegate = self
    WCSession.default.activate()
  }

  /// Verifies the file and queues it; it arrives when both are near each other, the app need not run until then.
  /// - Throws: `EdgeECGError` if the file can't be used, or the session is not active yet.
  func send(_ url: URL) throws {
    let isScoped = url.startAccessingSecurityScopedResource()  // a file of another app, as Files hands it over
    defer { if isScoped { url.stopAccessingSecurityScopedResource() } }
    let content = try Data(contentsOf: url)
    _ = try ECGBundle(data: content)
    guard WCSession.default.activationState == .activated else {
      throw EdgeECGError.bundle(NSLocalizedString("there is no session with the watch yet", comment: ""))
    }
    let own = FileManager.default.temporaryDirectory.appendingPathComponent("person.ecgbundle")
    try content.write(to: own, options: .atomic)  // the transfer outlasts the leave to read the other
    _ = WCSession.default.transferFile(own, metadata: nil)
  }

  func session(
    _ session: WCSession, activationDidCompleteWith activationState: WCSessionActivationState, error: (any Error)?
  ) {
    if let error { print("no connection to the watch: \(error)") }
  }

  func session(_ session: WCSession, didFinish fileTransfer: WCSessionFileTransfer, error: (any Error)?) {
    if let error { print("the bundle did not arrive: \(error)") }
  }

  func sessionDidBecomeInactive(_ session: WCSession) {}

  /// Another watch was chosen.
  func sessionDidDeactivate(_ session: WCSession) { WCSession.default.activate() }
}
