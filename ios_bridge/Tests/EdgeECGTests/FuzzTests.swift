import Testing

@testable import EdgeECG
@testable import EdgeECGCore

/// Some 18,000 mutated files: each gives an error or something that runs, and never a trap.
@Suite struct FuzzTests {
  @Test func tensors() throws {
    try mutations(of: "references.safetensors", count: 2500, seed: 1) { content in
      _ = try ECGReferences(safetensors: content)
    }
  }

  @Test func layers() throws {
    let weights = Golden.bytes(Golden.bundlePath + "/portable/weights.safetensors")
    try mutations(of: "portable/layers.json", count: 2500, seed: 2) { content in
      let form = try PortableForm(layers: content, weights: weights)
      var embedding: [Float] = []
      var encoder = try PortableEncoder(form.encoder, beatLength: 384)
      try encoder.encode([Float](repeating: 1, count: 384), into: &embedding)
      let bank = try ECGReferences(
        embeddings: embedding.map { $0.isFinite ? $0 : 0 } + [Float](repeating: 0, count: embedding.count),
        embeddingLength: embedding.count, isTarget: [true, false])
      var comparator = try PortableComparator(form.comparator, embeddingLength: embedding.count, references: 2)
      var logits: [Float] = []
      try comparator.compare(embedding, with: bank, into: &logits)
    }
  }

  @Test func weights() throws {
    let layers = Golden.bytes(Golden.bundlePath + "/portable/layers.json")
    try mutations(of: "portable/weights.safetensors", count: 1000, seed: 3) { content in
      let form = try PortableForm(layers: layers, weights: content)
      _ = try PortableEncoder(form.encoder, beatLength: 384)
    }
  }

  /// A contract that passes is run on a recording: no constant may lead to a trap or an endless loop.
  @Test func contracts() throws {
    let samples = try Golden.recording("plain").samplesMicrovolts.prefix(3600)
    let contract = Golden.contractText()
    try mutations(of: contract, count: 2000, seed: 4) { content in
      let contract = try Contract(try JSONValue(parsing: content))
      var stream = try BeatStream(sampleRateHz: 512, contract: contract)
      _ = stream.push(samples)
      _ = stream.push([.nan, .infinity, 1e308, -1e308])
    }
  }

  /// The header and some lines, in several languages; what passes is judged as a recording and cut into beats.
  @Test(arguments: Golden.recordings)
  func textRecordings(name: String) throws {
    let contract = try Golden.bundle().contract
    let lines = Golden.bytes("\(Golden.folder)/\(name).csv").split(separator: 0x0a, omittingEmptySubsequences: false)
    let content = Array(lines.prefix(2500).joined(separator: [0x0a]))
    try mutations(of: content, count: 100, seed: 5) { try cut($0, "a.csv", contract) }
    try mutations(of: Array(content.prefix(1200)), count: 1500, seed: 7) { content in
      _ = try AppleCSV.signal(content)
    }
  }

  @Test(arguments: ["<f2", "<f4", ">f8", "<i2", "|u1", ">u8"], [UInt8(1), 2])
  func numpyRecordings(kind: String, version: UInt8) throws {
    let contract = try Golden.bundle().contract
    let header = Array("{'descr': '\(kind)', 'fortran_order': False, 'shape': (2200,), }\n".utf8)
    let length = [UInt8(header.count), 0] + (version == 1 ? [] : [0, 0])
    var random = SplitMix64(state: 8)
    let numbers = (0..<2200 * 8).map { _ in UInt8.random(in: 0...60, using: &random) }
    let content = NumpyFile.magic + [version, 0] + length + header + numbers
    try mutations(of: content, count: 150, seed: 6, goodIsRead: false) { try cut($0, "a.npy", contract) }
  }

  private func cut(_ content: [UInt8], _ name: String, _ contract: Contract) throws {
    let recording = try ECGRecording(ECGRecording.signal(content, path: name), source: name)
    _ = try recording.beats(contract)
  }

  private func mutations(
    of file: String, count: Int, seed: UInt64, _ read: ([UInt8]) throws -> Void
  ) throws {
    try mutations(of: Golden.bytes("\(Golden.bundlePath)/\(file)"), count: count, seed: seed, read)
  }

  /// Reads `count` mutations of a good file; anything but an error of ours fails the test, and a trap ends it.
  private func mutations(
    of good: [UInt8], count: Int, seed: UInt64, goodIsRead: Bool = true, _ read: ([UInt8]) throws -> Void
  ) throws {
    if goodIsRead { try read(good) }
    var random = SplitMix64(state: seed)
    var refused = 0
    for _ in 0..<count {
      do {
        try read(mutated(good, &random))
      } catch is EdgeECGError {
        refused += 1
      } catch is JSONError {
        refused += 1
      }
    }
    #expect(refused > 0)
  }

  /// One to three changes: a byte, a digit, a cut, a repetition, or a number that lies.
  private func mutated(_ good: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
    let lies = ["0", "-1", "1e308", "-1e308", "9223372036854775807", "4611686018427387904", "2147483648", "null", "[]"]
    var content = good
    for _ in 0..<Int.random(in: 1...3, using: &random) where !content.isEmpty {
      let at = random.index(below: content.count)
      switch random.index(below: 7) {
      case 0: content[at] = UInt8.random(in: 0...255, using: &random)
      case 1: content[at] ^= 1 << UInt8(random.index(below: 8))
      case 2: content.removeSubrange(at..<min(at + 1 + random.index(below: 20), content.count))
      case 3: content.insert(contentsOf: content[at..<min(at + 20, content.count)], at: at)
      case 4: content.removeSubrange(at...)
      default:  // a whole number of the text is replaced
        let digits = content.indices.filter { (0x30...0x39).contains(content[$0]) }
        guard !digits.isEmpty else { continue }
        let digit = digits[random.index(below: digits.count)]
        let isPart = { (byte: UInt8) in (0x30...0x39).contains(byte) || [0x2d, 0x2e, 0x65, 0x45].contains(byte) }
        var (first, end) = (digit, digit + 1)
        while first > 0, isPart(content[first - 1]) { first -= 1 }
        while end < content.count, isPart(content[end]) { end += 1 }
        content.replaceSubrange(first..<end, with: Array(lies[random.index(below: lies.count)].utf8))
      }
    }
    return content
  }
}

extension SplitMix64 {
  fileprivate mutating func index(below count: Int) -> Int { Int.random(in: 0..<count, using: &self) }
}
