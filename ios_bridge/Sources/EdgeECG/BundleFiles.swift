import Foundation

/// Files below one folder, each opened through no link and read no further than asked.
struct BundleFiles: Sendable {
  let folder: String

  /// At most `most` + 1 bytes of the plain file `name`.
  func read(_ name: String, most: Int) throws(EdgeECGError) -> [UInt8] {
    var path = folder
    for part in name.split(separator: "/") {
      path += "/" + part
      var facts = stat()
      if lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFLNK {
        throw EdgeECGError.bundle("\(folder): \(name) goes through a link, expected a plain file")
      }
    }
    // O_NONBLOCK: opening a pipe must not wait for a writer.
    let handle = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
    guard handle >= 0 else { throw Self.failure(errno, folder, name) }
    defer { close(handle) }
    var facts = stat()
    guard fstat(handle, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
      throw EdgeECGError.bundle("\(folder): \(name) is no plain file")
    }
    guard let content = Self.bytes(of: handle, most: min(Int(clamping: facts.st_size), most + 1)) else {
      throw Self.failure(errno, folder, name)
    }
    return content
  }

  private static func bytes(of handle: Int32, most: Int) -> [UInt8]? {
    var failed = false
    let content = [UInt8](unsafeUninitializedCapacity: most) { buffer, filled in
      filled = 0
      while filled < most {
        let got = Foundation.read(handle, buffer.baseAddress.map { $0 + filled }, most - filled)
        if got < 0, errno == EINTR { continue }
        failed = got < 0
        if got <= 0 { return }
        filled += got
      }
    }
    return failed ? nil : content
  }

  private static func failure(_ code: Int32, _ folder: String, _ name: String) -> EdgeECGError {
    code == ENOENT
      ? .bundle("\(folder): \(name) is missing, expected a bundle with its files")
      : .bundle("\(folder): \(name) can't be read: \(String(cString: strerror(code)))")
  }
}
