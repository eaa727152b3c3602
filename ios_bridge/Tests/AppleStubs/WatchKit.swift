// Just enough of Apple's WatchKit to type-check Examples/WatchDemo without a Mac; nothing here runs.
import Foundation

@MainActor public protocol WKApplicationDelegate: NSObjectProtocol {
  func applicationDidFinishLaunching()
}
