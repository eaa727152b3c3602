import EdgeECGUI
import Foundation
import SwiftUI
import WatchKit

@main
struct WatchDemoApp: App {
  @WKApplicationDelegateAdaptor(WatchDelegate.self) private var delegate

  var body: some Scene {
    WindowGroup {
      ECGJudgeView(
        delegate.person.judge, takeBaseline: delegate.person.takeBaseline, judgeLatest: delegate.person.judgeLatest)
    }
  }
}

/// Starts what the system may launch the app for in the background, where no view is made: a bundle from the iPhone, and
/// ECGs that were saved.
@MainActor final class WatchDelegate: NSObject, WKApplicationDelegate {
  let person = Person()

  func applicationDidFinishLaunching() {
    person.start()
  }

  /// The bundle can't be read where the system launches the app while the watch is locked.
  func applicationDidBecomeActive() {
    Task { await person.openBundle() }
  }
}
