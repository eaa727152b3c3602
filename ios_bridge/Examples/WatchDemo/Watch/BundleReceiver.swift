import EdgeECG
import Foundation
import WatchConnectivity

/// Takes packed bundles from the iPhone. One that can't be opened never replaces the one that is here.
final class BundleReceiver: NSObject, WCSessionDelegate, Sendable {
  /// Where the person's bundle lies.
  static let kept = URL(fileURLWithPath: NSHomeDirectory()).appendingPathComponent("Documents/person.ecgbundle")

  private let urls: AsyncStream<URL>
  private let continuation: AsyncStream<URL>.Continuation

  override init() {
    (urls, continuation) = AsyncStream.makeStream()
  }

  /// The bundle's place, each time that a new one came.
  func received() -> AsyncStream<URL> {
    WCSession.default.delegate = self
    WCSession.default.activate()
    return urls
  }

  /// The file is gone when this returns, so that it is read, verified and kept here, on the session's own queue.
  func session(_ session: WCSession, didReceive file: WCSessionFile) {
    do {
      let content = try Data(contentsOf: file.fileURL)
      _ = try ECGBundle(data: content)
      try content.write(to: Self.kept, options: .atomic)
      continuation.yield(Self.kept)
    } catch EdgeECGError.bundleVersion(let message) {
      print("\(message): update the app")
    } catch {
      print("the bundle that came is not used: \(error.localizedDescription)")
    }
  }

  func session(
    _ session: WCSession, activationDidCompleteWith activationState: WCSessionActivationState, error: (any Error)?
  ) {
    if let error { print("no connection to the iPhone: \(error.localizedDescription)") }
  }
}
