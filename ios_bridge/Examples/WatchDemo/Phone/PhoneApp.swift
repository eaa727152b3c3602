import Foundation
import SwiftUI
import UIKit
import UniformTypeIdentifiers

@main
struct PhoneApp: App {
  @UIApplicationDelegateAdaptor(PhoneDelegate.self) private var delegate

  var body: some Scene {
    WindowGroup { SendView(sender: delegate.sender) }
  }
}

/// Begins the session with the watch when the app is launched, also in the background.
@MainActor final class PhoneDelegate: NSObject, UIApplicationDelegate {
  let sender = BundleSender()

  func application(
    _ application: UIApplication, didFinishLaunchingWithOptions options: [UIApplication.LaunchOptionsKey: Any]? = nil
  ) -> Bool {
    sender.activate()
    return true
  }
}

/// One button: a file that was brought to the iPhone goes on to the watch.
struct SendView: View {
  let sender: BundleSender
  @State private var isChoosing = false
  @State private var result = NSLocalizedString("Choose the file that edge-ecg pack wrote.", comment: "")

  var body: some View {
    VStack(spacing: 16) {
      Button(NSLocalizedString("Send a bundle to the watch", comment: "")) { isChoosing = true }
      Text(result).font(.footnote)
    }
    .padding()
    .fileImporter(isPresented: $isChoosing, allowedContentTypes: [.item]) { choice in
      do {
        try sender.send(try choice.get())
        result = NSLocalizedString("queued: it arrives when the watch is near", comment: "")
      } catch {
        result = error.localizedDescription
      }
    }
  }
}
