import Foundation

extension URL {
  /// The path of a file as it was given, if the system finds the file by it, or else the whole one; nothing for a URL of
  /// anything but a file.
  var filePath: String? {
    guard isFileURL else { return nil }
    let isFoundAsGiven = baseURL.map { $0.path == FileManager.default.currentDirectoryPath } ?? true
    return isFoundAsGiven ? relativePath : path
  }
}
