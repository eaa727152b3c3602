// Just enough of Apple's WatchConnectivity to type-check Examples/WatchDemo without a Mac; nothing here runs.
import Foundation

public enum WCSessionActivationState: Int, Sendable { case notActivated, inactive, activated }

open class WCSessionFile: NSObject {
  public var fileURL: URL { fatalError() }
  public var metadata: [String: Any]? { fatalError() }
}
open class WCSessionFileTransfer: NSObject {
  public var file: WCSessionFile { fatalError() }
  public var isTransferring: Bool { fatalError() }
}

public protocol WCSessionDelegate: NSObjectProtocol {
  func session(
    _ session: WCSession, activationDidCompleteWith activationState: WCSessionActivationState, error: (any Error)?)
  func session(_ session: WCSession, didReceive file: WCSessionFile)
  func session(_ session: WCSession, didFinish fileTransfer: WCSessionFileTransfer, error: (any Error)?)
  func sessionDidBecomeInactive(_ session: WCSession)
  func sessionDidDeactivate(_ session: WCSession)
}
extension WCSessionDelegate {  // optional, or asked for on the phone alone
  public func session(_ session: WCSession, didReceive file: WCSessionFile) {}
  public func session(_ session: WCSession, didFinish fileTransfer: WCSessionFileTransfer, error: (any Error)?) {}
  public func sessionDidBecomeInactive(_ session: WCSession) {}
  public func sessionDidDeactivate(_ session: WCSession) {}
}

open class WCSession: NSObject, @unchecked Sendable {
  public class func isSupported() -> Bool { fatalError() }
  public class var `default`: WCSession { fatalError() }
  public weak var delegate: (any WCSessionDelegate)? {
    get { fatalError() }
    set { fatalError() }
  }
  public func activate() { fatalError() }
  public var activationState: WCSessionActivationState { fatalError() }
  public func transferFile(_ file: URL, metadata: [String: Any]?) -> WCSessionFileTransfer { fatalError() }
}

extension URL {  // of Apple's Foundation, and not of Swift's on Linux
  public func startAccessingSecurityScopedResource() -> Bool { fatalError() }
  public func stopAccessingSecurityScopedResource() { fatalError() }
}
