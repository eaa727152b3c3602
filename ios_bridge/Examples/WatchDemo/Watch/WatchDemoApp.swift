import EdgeECGUI
import SwiftUI

@main
struct WatchDemoApp: App {
  @State private var person = Person()

  var body: some Scene {
    WindowGroup {
      ECGJudgeView(person.judge, takeBaseline: person.takeBaseline, judgeLatest: person.judgeLatest)
        .task { await person.followBundles() }
        .task { await person.followHealth() }
    }
  }
}
