import EdgeECG
import EdgeECGApple
import Foundation
import WatchConnectivity

/// Takes packed bundles from the iPhone. One that can't be opened never replaces the one that is here.
final class BundleReceiver: NSObject, WCSessionDelegate, Sendable {
  private static let folder = PersonalFolder(
    FileManager.default.urls(for: .applicationSupportDirectory, in: .userDomainMask)[0].appendingPathComponent(
      "EdgeECG"))
  private static let name = "person.ecgbundle"

  /// Where the person's bundle is kept: encrypted while the watch is locked, and in no backup.
  static let kept = folder.file(name)

  /// The bundle's place, each time that a new one came.
  let received: AsyncStream<URL>
  private let continuation: AsyncStream<URL>.Continuation

  override init() {
    (received, continuation) = AsyncStream.makeStream()
  }

  /// Hears of what arrives, from now on. The session keeps no strong reference: hold the receiver.
  func activate() {
    WCSession.default.delegate = self
    WCSession.default.activate()
  }

  /// The file is gone when this returns, so that it is read, verified and kept here, on the session's own queue.
  func session(_ session: WCSession, didReceive file: WCSessionFile) {
    do {
      let content = try Data(contentsOf: file.fileURL)
      _ = try ECGBundle(data: content)
      try Self.folder.write(content, as: Self.name)
      continuation.yield(Self.kept)
    } catch {
      print("the bundle that came is not used: \(error)")
    }
  }

  func session(
    _ session: WCSession, activationDidCompleteWith activationState: WCSessionActivationState, error: (any Error)?
  ) {
    if let error { print("no connection to the iPhone: \(error)") }
  }
}
