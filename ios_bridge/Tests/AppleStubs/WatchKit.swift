// Just enough of Apple's WatchKit to type-check Examples/WatchDemo without a Mac; nothing here runs.
import Foundation

@MainActor public protocol WKApplicationDelegate: NSObjectProtocol {
  func applicationDidFinishLaunching()
  func applicationDidBecomeActive()
}
extension WKApplicationDelegate {  // both are optional
  public func applicationDidFinishLaunching() {}
  public func applicationDidBecomeActive() {}
}
