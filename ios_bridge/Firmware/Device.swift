/// What a device offers: files, text out, and meters. `semihosting.c` gives it on bare metal, `posix.c` on Linux.
@_extern(c, "device_argument")
private func argument(_ index: Int32, _ text: UnsafeMutableRawPointer, _ most: Int) -> Int
@_extern(c, "device_open") private func open(_ path: UnsafeRawPointer) -> Int32
@_extern(c, "device_read") private func read(_ file: Int32, _ bytes: UnsafeMutableRawPointer, _ most: Int) -> Int
@_extern(c, "device_size") private func size(_ file: Int32) -> Int
@_extern(c, "device_close") private func close(_ file: Int32)
@_extern(c, "device_write") private func write(_ bytes: UnsafeRawPointer, _ count: Int)
@_extern(c, "device_ticks") private func ticks() -> UInt32
@_extern(c, "device_calibration") private func calibration() -> UInt32
@_extern(c, "device_heap") private func heap() -> UInt32
@_extern(c, "device_stack") private func stack() -> UInt32

enum Device {
  private static let longestArgument = 256

  /// The arguments of the program, its own name left out, as bytes.
  static func arguments() -> [[UInt8]] {
    var found: [[UInt8]] = []
    var text = [UInt8](repeating: 0, count: longestArgument)
    while true {
      let length = text.withUnsafeMutableBytes { bytes in
        bytes.baseAddress.map { argument(Int32(found.count + 1), $0, longestArgument) } ?? -1
      }
      guard length >= 0 else { return found }
      found.append(Array(text.prefix(length)))
    }
  }

  /// Ticks of a counter of instructions since the last call: up to 2^24, 0 where there is none.
  static func lap() -> UInt32 { ticks() }

  /// Ticks that a million instructions take.
  static var ticksAMillion: UInt32 { calibration() }

  /// The most bytes that the heap took so far; 0 where nobody counts.
  static var heapPeak: UInt32 { heap() }

  /// The most bytes that the stack took so far; 0 where nobody counts.
  static var stackPeak: UInt32 { stack() }

  /// The content of a file; empty if there is none.
  static func content(_ path: [UInt8]) -> [UInt8] {
    guard var file = DeviceFile(path) else { return [] }
    defer { file.close() }
    return file.bytes(file.size)
  }

  static func print(_ line: [UInt8]) {
    line.withUnsafeBytes { bytes in
      if let address = bytes.baseAddress { write(address, bytes.count) }
    }
  }
}

/// A file that is read from its beginning on.
struct DeviceFile {
  private let handle: Int32

  init?(_ path: [UInt8]) {
    handle = (path + [0]).withUnsafeBytes { bytes in bytes.baseAddress.map { open($0) } ?? -1 }
    if handle < 0 { return nil }
  }

  /// Bytes in all.
  var size: Int { max(0, Firmware.size(handle)) }

  /// At most so many of the next bytes; none at the end.
  mutating func bytes(_ most: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
      count = buffer.baseAddress.map { read(handle, $0, most) } ?? 0
    }
  }

  /// At most so many of the next numbers of eight bytes.
  mutating func doubles(_ most: Int) -> [Double] {
    let bytes = bytes(8 * most)
    return bytes.withUnsafeBytes { raw in
      (0..<bytes.count / 8).map { raw.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
  }

  func close() { Firmware.close(handle) }
}

/// A line of text that is put together without any formatting of the library's.
struct Line {
  private var bytes: [UInt8]

  init(_ word: StaticString) {
    bytes = word.withUTF8Buffer { Array($0) }
  }

  static func + (line: Line, word: [UInt8]) -> Line {
    var longer = line
    longer.bytes += [UInt8(ascii: " ")] + word
    return longer
  }

  static func + (line: Line, text: String) -> Line { line + Array(text.utf8) }

  static func + (line: Line, number: Int) -> Line {
    var digits: [UInt8] = []
    var rest = number.magnitude
    repeat {
      digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    if number < 0 { digits.append(UInt8(ascii: "-")) }
    return line + digits.reversed()
  }

  /// The bits of a number, as sixteen hexadecimal digits.
  static func + (line: Line, number: Double) -> Line {
    line
      + (0..<16).map { place in
        let digit = UInt8(truncatingIfNeeded: number.bitPattern >> UInt64(60 - 4 * place)) & 15
        return digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
      }
  }

  func print() { Device.print(bytes + [UInt8(ascii: "\n")]) }
}
