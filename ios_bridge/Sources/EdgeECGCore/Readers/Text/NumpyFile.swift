/// NumPy's `.npy`: a header that is a Python dictionary, then the numbers.
///
/// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1 to 3.
enum NumpyFile {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  private static let unreadable = EdgeECGError.recording("is not a readable .npy file of numbers")

  /// The numbers of a one-dimensional array of integers or floats.
  static func values(_ content: [UInt8]) throws(EdgeECGError) -> [Double] {
    guard content.starts(with: magic), content.count >= 12, (1...3).contains(content[6]) else { throw unreadable }
    let lengthBytes = content[6] == 1 ? 2 : 4
    let declared = (0..<lengthBytes).reduce(UInt64(0)) { $0 | UInt64(content[8 + $1]) << UInt64(8 * $1) }
    guard let length = Int(exactly: declared), length <= 10_000 else { throw unreadable }
    let start = 8 + lengthBytes + length
    guard start <= content.count else { throw unreadable }
    let header = String(decoding: content[(8 + lengthBytes)..<start].map { $0 == 0x22 ? 0x27 : $0 }, as: UTF8.self)
    guard let kind = quoted("descr", in: header), let shape = shape(in: header) else { throw unreadable }
    guard shape.count == 1, let count = shape.first, let read = reader(kind) else {
      throw EdgeECGError.recording(
        "holds \(kind.prefix(20)) of shape \(shape); expected a 1-D array of numbers")
    }
    guard count <= (content.count - start) / read.size else { throw unreadable }
    return content.withUnsafeBytes { raw in
      (0..<count).map { read.value(raw, start + $0 * read.size) }
    }
  }

  /// The text of `'key': 'text'`.
  private static func quoted(_ key: String, in header: String) -> String? {
    guard let rest = value(of: key, in: header), rest.first == "'" else { return nil }
    return rest.dropFirst().split(separator: "'", omittingEmptySubsequences: false).first.map(String.init)
  }

  /// The numbers of `'shape': (...)`.
  private static func shape(in header: String) -> [Int]? {
    guard let rest = value(of: "shape", in: header), rest.first == "(", let end = rest.firstIndex(of: ")") else {
      return nil
    }
    let parts = rest[..<end].dropFirst().split(separator: ",").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
    let sizes = parts.compactMap { Int($0) }.filter { $0 >= 0 }
    return sizes.count == parts.count ? sizes : nil
  }

  private static func value(of key: String, in header: String) -> Substring? {
    var rest = header[...]
    while !rest.isEmpty, !rest.hasPrefix("'\(key)'") { rest.removeFirst() }
    let value = rest.dropFirst(key.count + 2).drop { $0 == " " }
    return value.first == ":" ? value.dropFirst().drop { $0 == " " } : nil
  }

  private struct Reader {
    let size: Int
    let value: (UnsafeRawBufferPointer, Int) -> Double
  }

  private static func reader(_ kind: String) -> Reader? {
    let big = kind.hasPrefix(">")
    switch kind.dropFirst() {
    case "f2": return integer(UInt16.self, big, half)
    case "f4": return integer(UInt32.self, big) { Double(Float(bitPattern: $0)) }
    case "f8": return integer(UInt64.self, big) { Double(bitPattern: $0) }
    case "i1": return integer(Int8.self, big, Double.init)
    case "i2": return integer(Int16.self, big, Double.init)
    case "i4": return integer(Int32.self, big, Double.init)
    case "i8": return integer(Int64.self, big, Double.init)
    case "u1": return integer(UInt8.self, big, Double.init)
    case "u2": return integer(UInt16.self, big, Double.init)
    case "u4": return integer(UInt32.self, big, Double.init)
    case "u8": return integer(UInt64.self, big, Double.init)
    default: return nil
    }
  }

  /// IEEE 754's 16 bits; `Float16` is not there on every Mac.
  private static func half(_ bits: UInt16) -> Double {
    let (exponent, fraction) = (Int(bits >> 10 & 31), Double(bits & 1023))
    let magnitude: Double =
      switch exponent {
      case 31: fraction == 0 ? .infinity : .nan
      case 0: fraction / 16_777_216  // 2^24: subnormal
      default: (1024 + fraction) / 33_554_432 * Double(1 << exponent)
      }
    return bits >> 15 == 0 ? magnitude : -magnitude
  }

  private static func integer<Bits: FixedWidthInteger>(
    _ type: Bits.Type, _ big: Bool, _ value: @escaping (Bits) -> Double
  ) -> Reader {
    Reader(size: MemoryLayout<Bits>.size) { raw, offset in
      let bits = raw.loadUnaligned(fromByteOffset: offset, as: Bits.self)
      return value(big ? Bits(bigEndian: bits) : Bits(littleEndian: bits))
    }
  }
}
