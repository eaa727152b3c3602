/// A safetensors file: a JSON header with names, types, shapes and offsets, then the numbers, little-endian.
///
/// Every size is checked against the file before anything is read, so a lying header costs nothing.
struct Safetensors: Sendable {
  enum DataType: String, Sendable {
    case float32 = "F32"
    case uint8 = "U8"
    case int8 = "I8"

    var bytes: Int {
      switch self {
      case .uint8, .int8: 1
      case .float32: 4
      }
    }
  }

  struct Entry: Sendable {
    let dataType: DataType
    let shape: [Int]
    let range: Range<Int>  // of bytes in the file

    var count: Int { range.count / dataType.bytes }
  }

  private static let mostHeaderBytes = 1_000_000
  private static let mostDimensions = 8

  let entries: [String: Entry]
  /// Texts in the header beside them.
  let metadata: [String: String]
  private let content: [UInt8]

  /// - Throws: ``EdgeECGError/bundle(_:)`` if the header, a shape or an offset does not fit the file.
  init(_ content: [UInt8]) throws(EdgeECGError) {
    guard content.count >= 8 else { throw Self.error("it holds \(content.count) bytes, too few for a header") }
    let length = (0..<8).reduce(UInt64(0)) { $0 | UInt64(content[$1]) << UInt64(8 * $1) }
    guard length <= UInt64(Self.mostHeaderBytes), Int(length) <= content.count - 8 else {
      throw Self.error("its header declares \(length) bytes, the file holds \(content.count)")
    }
    let start = 8 + Int(length)
    let header: JSONValue
    do throws(JSONError) {
      header = try JSONValue(parsing: Array(content[8..<start]), mostDepth: 8)
    } catch {
      throw Self.error("its header is not JSON: \(error.description)")
    }
    guard let members = header.members else { throw Self.error("its header is no JSON object") }
    var entries: [String: Entry] = [:]
    for member in members where member.key != "__metadata__" {
      entries[member.key] = try Self.entry(member.value, name: member.key, start: start, end: content.count)
    }
    try Self.requireNoGaps(entries.values.map({ $0.range }), start: start, end: content.count)
    self.entries = entries
    metadata = try Self.metadata(header["__metadata__"])
    self.content = content
  }

  private static func metadata(_ json: JSONValue?) throws(EdgeECGError) -> [String: String] {
    guard let json else { return [:] }
    var texts: [String: String] = [:]
    for member in json.members ?? [] { texts[member.key] = member.value.text }
    guard json.members?.count == texts.count else { throw error("its metadata are no texts by name") }
    return texts
  }

  /// Shape and numbers of a tensor of float32.
  func floats(_ name: String) throws(EdgeECGError) -> (shape: [Int], values: [Float]) {
    let entry = try entry(name, .float32)
    let values = content.withUnsafeBytes { raw in
      stride(from: entry.range.lowerBound, to: entry.range.upperBound, by: 4).map { offset in
        Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
      }
    }
    return (entry.shape, values)
  }

  /// Shape and numbers of a tensor of float32, or of one of int8 that is multiplied by `NAME.scale`: one scale for
  /// each index of its first axis. All are finite.
  func dequantizedFloats(_ name: String) throws(EdgeECGError) -> (shape: [Int], values: [Float]) {
    var (shape, values): ([Int], [Float])
    if entries["\(name).scale"] == nil {
      (shape, values) = try floats(name)
    } else {
      let stored = try signedBytes(name)
      let scales = try floats("\(name).scale").values
      guard let rows = stored.shape.first, rows > 0, scales.count == rows else {
        throw Self.error("\(Self.named(name)) of shape \(shown(stored.shape)) has \(scales.count) scales")
      }
      let rowLength = max(1, stored.values.count / rows)
      shape = stored.shape
      values = stored.values.indices.map { Float(stored.values[$0]) * scales[$0 / rowLength] }
    }
    guard values.allSatisfy({ $0.isFinite }) else {
      throw Self.error("\(Self.named(name)) holds NaN or infinity, expected finite numbers")
    }
    return (shape, values)
  }

  /// Shape and numbers of a tensor of bytes without sign.
  func unsignedBytes(_ name: String) throws(EdgeECGError) -> (shape: [Int], values: [UInt8]) {
    let entry = try entry(name, .uint8)
    return (entry.shape, Array(content[entry.range]))
  }

  /// Shape and numbers of a tensor of bytes with sign.
  func signedBytes(_ name: String) throws(EdgeECGError) -> (shape: [Int], values: [Int8]) {
    let entry = try entry(name, .int8)
    return (entry.shape, content[entry.range].map { Int8(bitPattern: $0) })
  }

  private func entry(_ name: String, _ dataType: DataType) throws(EdgeECGError) -> Entry {
    guard let entry = entries[name] else { throw Self.error("it has no tensor \(name)") }
    guard entry.dataType == dataType else {
      throw Self.error("\(name) is \(entry.dataType.rawValue), expected \(dataType.rawValue)")
    }
    return entry
  }

  private static func entry(_ value: JSONValue, name: String, start: Int, end: Int) throws(EdgeECGError) -> Entry {
    guard let dataType = value["dtype"]?.text.flatMap(DataType.init(rawValue:)) else {
      throw error("\(named(name)) has a type that is not read here")
    }
    guard let shape = value["shape"]?.items?.compactMap({ $0.integer }), shape.count == value["shape"]?.items?.count,
      shape.count <= mostDimensions, shape.allSatisfy({ $0 >= 0 })
    else { throw error("\(named(name)) has no shape of at most \(mostDimensions) dimensions") }
    guard let offsets = value["data_offsets"]?.items?.compactMap({ $0.integer }), offsets.count == 2,
      0 <= offsets[0], offsets[0] <= offsets[1], offsets[1] <= end - start
    else { throw error("\(named(name)) has offsets outside the file") }
    var size = dataType.bytes
    for dimension in shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
      guard !overflow else { throw error("\(named(name)) has shape \(shown(shape)), more than memory holds") }
      size = product
    }
    guard size == offsets[1] - offsets[0] else {
      throw error("\(named(name)) has shape \(shown(shape)), \(size) bytes, but \(offsets[1] - offsets[0]) in the file")
    }
    return Entry(dataType: dataType, shape: shape, range: start + offsets[0]..<start + offsets[1])
  }

  /// As the reference implementation asks: every byte belongs to one tensor.
  private static func requireNoGaps(_ ranges: [Range<Int>], start: Int, end: Int) throws(EdgeECGError) {
    var reached = start
    for range in ranges.sorted(by: { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }) {
      guard range.lowerBound == reached else { throw error("its tensors overlap or leave gaps") }
      reached = range.upperBound
    }
    guard reached == end else { throw error("it holds \(end - reached) bytes that belong to no tensor") }
  }

  private static func error(_ reason: String) -> EdgeECGError {
    .bundle("not the expected safetensors file: \(reason)")
  }

  private static func named(_ name: String) -> String { "tensor \(shown(name))" }
}

extension Safetensors {
  typealias FloatTensor = (name: String, shape: [Int], values: [Float])

  /// A file of float32 tensors, then of tensors of bytes, in this order, with a text in its header.
  static func write(
    floats: [FloatTensor] = [], bytes: [(name: String, values: [UInt8])], metadata: (name: String, text: String)? = nil
  ) -> [UInt8] {
    var (entries, data): ([String], [UInt8]) = ([], [])
    if let metadata { entries.append(#""__metadata__":{"\#(metadata.name)":"\#(metadata.text)"}"#) }
    for (name, shape, values) in floats {
      let start = data.count
      for value in values { withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) } }
      entries.append(#""\#(name)":{"dtype":"F32","shape":\#(shown(shape)),"data_offsets":[\#(start),\#(data.count)]}"#)
    }
    for (name, values) in bytes {
      let (start, end) = (data.count, data.count + values.count)
      data += values
      entries.append(#""\#(name)":{"dtype":"U8","shape":[\#(end - start)],"data_offsets":[\#(start),\#(end)]}"#)
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
  }
}
