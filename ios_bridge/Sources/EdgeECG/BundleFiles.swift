import Foundation

/// Files below one folder, each opened through no link and read no further than asked.
struct BundleFiles: BundleSource {
  let folder: String

  /// Whether there is a folder at `path`.
  static func isFolder(_ path: String) -> Bool {
    var facts = stat()
    return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
  }

  /// The file of a packed bundle.
  static func contents(of path: String, most: Int) throws(EdgeECGError) -> [UInt8] {
    switch plainFile(path, most: most, flags: 0) {
    case .success(let content) where content.count <= most: return content
    case .success: throw EdgeECGError.bundle("\(path): has more than \(most) bytes, which is too many for a bundle")
    case .failure(.notPlain): throw EdgeECGError.bundle("\(path): is neither a folder nor a plain file")
    case .failure(.system(let code)):
      throw EdgeECGError.bundle("\(path): can't be read: \(String(cString: strerror(code)))")
    }
  }

  func read(_ name: String, most: Int) throws(EdgeECGError) -> [UInt8] {
    var path = folder
    for part in name.split(separator: "/") {
      path += "/" + part
      var facts = stat()
      if lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFLNK {
        throw EdgeECGError.bundle("\(folder): \(name) goes through a link, expected a plain file")
      }
    }
    switch Self.plainFile(path, most: most, flags: O_NOFOLLOW) {
    case .success(let content): return content
    case .failure(.notPlain): throw EdgeECGError.bundle("\(folder): \(name) is no plain file")
    case .failure(.system(ENOENT)):
      throw EdgeECGError.bundle("\(folder): \(name) is missing, expected a bundle with its files")
    case .failure(.system(let code)):
      throw EdgeECGError.bundle("\(folder): \(name) can't be read: \(String(cString: strerror(code)))")
    }
  }

  /// What the file at `path` holds, at most `most` + 1 bytes of it.
  private static func plainFile(_ path: String, most: Int, flags: Int32) -> Result<[UInt8], FileProblem> {
    // O_NONBLOCK: opening a pipe must not wait for a writer.
    let handle = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags)
    guard handle >= 0 else { return .failure(.system(errno)) }
    defer { close(handle) }
    var facts = stat()
    guard fstat(handle, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return .failure(.notPlain) }
    guard let content = bytes(of: handle, most: min(Int(clamping: facts.st_size), most + 1)) else {
      return .failure(.system(errno))
    }
    return .success(content)
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
}

private enum FileProblem: Error {
  case notPlain
  case system(Int32)
}
