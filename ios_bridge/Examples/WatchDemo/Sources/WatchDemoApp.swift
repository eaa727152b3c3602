import SwiftUI

@main
struct WatchDemoApp: App {
  var body: some Scene {
    WindowGroup { JudgeView() }
  }
}
