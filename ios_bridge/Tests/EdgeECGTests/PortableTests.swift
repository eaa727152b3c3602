import Testing

@testable import EdgeECG
@testable import EdgeECGCore

/// The portable engine against sums worked out one by one.
@Suite struct PortableTests {
  /// A program over one input, with weights by name.
  private func run(
    _ layers: String, input: [Int], _ x: [Float], weights: [(String, [Int], [Float])] = []
  ) throws -> [Float] {
    let json = try JSONValue(
      parsing: Array(#"{"inputs":{"x":\#(input)},"output":"y","layers":[\#(layers)]}"#.utf8))
    let program = try PortableProgram(json, name: "test", inputs: ["x"], tensors: try tensors(weights))
    var engine = try PortableEngine(program, references: 3)
    var output: [Float] = []
    engine.set(0, to: x)
    engine.run(into: &output)
    return output
  }

  private func tensors(_ weights: [(String, [Int], [Float])]) throws -> Safetensors {
    var (entries, data): ([String], [UInt8]) = ([], [])
    for (name, shape, values) in weights {
      let start = data.count
      for value in values { withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) } }
      entries.append(#""\#(name)":{"dtype":"F32","shape":\#(shape),"data_offsets":[\#(start),\#(data.count)]}"#)
    }
    let header = Array("{\(entries.joined(separator: ","))}".utf8)
    return try Safetensors(withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init) + header + data)
  }

  private func numbers(_ count: Int, seed: UInt64) -> [Float] {
    var random = SplitMix64(state: seed)
    return (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
  }

  static let convolutions: [(Int, Int, Int, Int, Int, Int, Int, Int)] = [
    (1, 12, 1, 384, 15, 4, 7, 7), (12, 12, 12, 96, 7, 2, 3, 3), (12, 24, 1, 48, 1, 1, 0, 0), (6, 4, 2, 13, 5, 3, 0, 4),
    (2, 2, 1, 5, 3, 1, 2, 0), (3, 5, 1, 1, 1, 1, 0, 0), (1, 1, 1, 4, 9, 2, 9, 9), (4, 8, 4, 33, 2, 1, 1, 0),
  ]

  /// Channels, groups, length, taps, stride, padding before and after.
  @Test(arguments: convolutions)
  func convolution(
    inputs: Int, outputs: Int, groups: Int, length: Int, taps: Int, stride: Int, before: Int, after: Int
  ) throws {
    let (x, weight) = (numbers(2 * inputs * length, seed: 1), numbers(outputs * inputs / groups * taps, seed: 2))
    let bias = numbers(outputs, seed: 3)
    let outLength = (length + before + after - taps) / stride + 1
    let layer = """
      {"op":"conv1d","inputs":["x","w","b"],"output":"y","shape":[2,\(outputs),\(outLength)],"stride":\(stride),\
      "padding":[\(before),\(after)],"groups":\(groups)}
      """
    let got = try run(
      layer, input: [2, inputs, length], x,
      weights: [("w", [outputs, inputs / groups, taps], weight), ("b", [outputs], bias)])
    var wanted: [Float] = []
    for image in 0..<2 {
      for output in 0..<outputs {
        for at in 0..<outLength {
          var sum = bias[output]
          for channel in 0..<inputs / groups {
            for tap in 0..<taps {
              let place = at * stride + tap - before
              guard (0..<length).contains(place) else { continue }
              let source = (image * inputs + output / (outputs / groups) * (inputs / groups) + channel) * length + place
              sum += x[source] * weight[(output * (inputs / groups) + channel) * taps + tap]
            }
          }
          wanted.append(sum)
        }
      }
    }
    #expect(distance(got.map(Double.init), wanted.map(Double.init)) < 1e-5)
  }

  /// Places are rounded down; beyond either end it is the last number there.
  @Test func floorAndGather() throws {
    let layers = """
      {"op":"floor","inputs":["x"],"output":"place","shape":[1,6]},\
      {"op":"gather","inputs":["v","place"],"output":"y","shape":[1,6]}
      """
    let got = try run(layers, input: [1, 6], [-0.5, 0, 1.9, 2, 7.3, 1e9], weights: [("v", [1, 3], [10, 20, 30])])
    #expect(got == [10, 10, 20, 30, 30, 30])
  }

  @Test(arguments: [(1, 97, 32), (32, 64, 16), (5, 3, 1), (7, 9, 41), (4, 1, 8)])
  func linear(rows: Int, inputs: Int, outputs: Int) throws {
    let (x, weight) = (numbers(rows * inputs, seed: 4), numbers(outputs * inputs, seed: 5))
    let bias = numbers(outputs, seed: 6)
    let got = try run(
      #"{"op":"linear","inputs":["x","w","b"],"output":"y","shape":[\#(rows),\#(outputs)]}"#, input: [rows, inputs], x,
      weights: [("w", [outputs, inputs], weight), ("b", [outputs], bias)])
    let wanted = (0..<rows * outputs).map { index in
      (0..<inputs).reduce(bias[index % outputs]) {
        $0 + x[index / outputs * inputs + $1] * weight[index % outputs * inputs + $1]
      }
    }
    #expect(distance(got.map(Double.init), wanted.map(Double.init)) < 1e-5)
  }

  static let smallLayers: [(String, [Float])] = [
    (#"{"op":"relu","output":"y","shape":[2,3],"inputs":["x"]}"#, [0, 2, 0, 4, 0, 6]),
    (#"{"op":"abs","output":"y","shape":[2,3],"inputs":["x"]}"#, [1, 2, 3, 4, 5, 6]),
    (#"{"op":"add","output":"y","shape":[2,3],"inputs":["x"],"value":1}"#, [0, 3, -2, 5, -4, 7]),
    (#"{"op":"sub","output":"y","shape":[2,3],"inputs":["x"],"value":1}"#, [-2, 1, -4, 3, -6, 5]),
    (#"{"op":"div","output":"y","shape":[2,3],"inputs":["x"],"value":2}"#, [-0.5, 1, -1.5, 2, -2.5, 3]),
    (#"{"op":"mul","output":"y","shape":[2,3],"inputs":["x","row"]}"#, [-1, 4, -9, 4, -10, 18]),
    (#"{"op":"add","output":"y","shape":[2,3],"inputs":["x","column"]}"#, [9, 12, 7, 24, 15, 26]),
    (#"{"op":"maximum","output":"y","shape":[2,3],"inputs":["x"],"value":0.5}"#, [0.5, 2, 0.5, 4, 0.5, 6]),
    (#"{"op":"minimum","output":"y","shape":[2,3],"inputs":["x"],"value":0.5}"#, [-1, 0.5, -3, 0.5, -5, 0.5]),
    (#"{"op":"mean","output":"y","shape":[2],"inputs":["x"],"axis":1}"#, [-2.0 / 3, 5.0 / 3]),
    (#"{"op":"mean","output":"y","shape":[1,3],"inputs":["x"],"axis":0}"#, [1.5, -1.5, 1.5]),
    (#"{"op":"slice","output":"y","shape":[2,2],"inputs":["x"],"axis":1,"start":1,"stop":3}"#, [2, -3, -5, 6]),
    (#"{"op":"slice","output":"y","shape":[1,3],"inputs":["x"],"axis":0,"start":1,"stop":2}"#, [4, -5, 6]),
    (
      #"{"op":"concat","output":"y","shape":[2,4],"inputs":["x","column"],"axis":1}"#,
      [-1, 2, -3, 10, 4, -5, 6, 20]
    ),
    (#"{"op":"concat","output":"y","shape":[3,3],"inputs":["row","x"],"axis":0}"#, [1, 2, 3, -1, 2, -3, 4, -5, 6]),
    (#"{"op":"reshape","output":"y","shape":[3,2],"inputs":["x"]}"#, [-1, 2, -3, 4, -5, 6]),
    (#"{"op":"expand","output":"y","shape":[2,3],"inputs":["column"]}"#, [10, 10, 10, 20, 20, 20]),
    (#"{"op":"expand","output":"y","shape":["R",1,3],"inputs":["row"]}"#, [1, 2, 3, 1, 2, 3, 1, 2, 3]),
    (#"{"op":"avg_pool1d","output":"y","shape":[2,2],"inputs":["x"],"kernel":2,"stride":1}"#, [0.5, -0.5, -0.5, 0.5]),
  ]

  @Test(arguments: smallLayers)
  func smallOps(layer: String, wanted: [Float]) throws {
    let got = try run(
      layer, input: [2, 3], [-1, 2, -3, 4, -5, 6],
      weights: [("row", [1, 3], [1, 2, 3]), ("column", [2, 1], [10, 20])])
    #expect(distance(got.map(Double.init), wanted.map(Double.init)) < 1e-6)
  }

  @Test func functionsOfOneNumber() throws {
    let x: [Float] = [-100, -1.5, 0, 0.25, 3, 100]
    let functions: [(String, (Double) -> Double)] = [
      ("sigmoid", { 1 / (1 + exponential(-$0)) }), ("silu", { $0 / (1 + exponential(-$0)) }),
      ("tanh", { (exponential(2 * $0) - 1) / (exponential(2 * $0) + 1) }),
    ]
    for (name, function) in functions {
      let got = try run(#"{"op":"\#(name)","output":"y","shape":[6],"inputs":["x"]}"#, input: [6], x)
      #expect(distance(got.map(Double.init), x.map { function(Double($0)) }) < 1e-6, "\(name)")
    }
  }

  @Test func whatALayerLeavesOutFollowsFromItsPlaceAndItsInput() throws {
    let layers = #"{"op":"abs","inputs":["x"]},{"op":"add","value":1},{"op":"mul","inputs":["0","1"],"output":"y"}"#
    #expect(try run(layers, input: [2], [-2, 3]) == [6, 12])
  }

  /// A layer that lies about its shape, needs too much, or is unknown.
  @Test(arguments: [
    #"{"op":"relu","output":"y","shape":[3,2],"inputs":["x"]}"#,
    #"{"op":"relu","output":"y","shape":[2,3],"inputs":["nothing"]}"#,
    #"{"op":"relu","output":"x","shape":[2,3],"inputs":["x"]}"#,
    #"{"op":"launch","output":"y","shape":[2,3],"inputs":["x"]}"#,
    #"{"op":"reshape","output":"y","shape":[4000000,4000000],"inputs":["x"]}"#,
    #"{"op":"reshape","output":"y","shape":[4611686018427387904,4611686018427387904],"inputs":["x"]}"#,
    #"{"op":"expand","output":"y","shape":[4611686018427387904,2,3],"inputs":["x"]}"#,
    #"{"op":"expand","output":"y","shape":[1000000,2,3],"inputs":["x"]}"#,
    #"{"op":"slice","output":"y","shape":[2,9],"inputs":["x"],"axis":1,"start":0,"stop":9}"#,
    #"{"op":"slice","output":"y","shape":[2,1],"inputs":["x"],"axis":9,"start":0,"stop":1}"#,
    #"{"op":"slice","output":"y","shape":[2,0],"inputs":["x"],"axis":1,"start":2,"stop":1}"#,
    #"{"op":"mean","output":"y","shape":[2],"inputs":["x"],"axis":-1}"#,
    #"{"op":"conv1d","output":"y","shape":[2,3],"inputs":["x","x"]}"#,
    #"{"op":"linear","output":"y","shape":[2,3],"inputs":["x"]}"#,
    #"{"op":"avg_pool1d","output":"y","shape":[2,3],"inputs":["x"],"kernel":0,"stride":0}"#,
    #"{"op":"add","output":"y","shape":[2,3],"inputs":["x"],"value":1e300}"#,
    #"{"op":"concat","output":"y","shape":[2,6],"inputs":[],"axis":1}"#,
    #"{"op":"relu","output":"y","shape":[-2,3],"inputs":["x"]}"#,
    #"{"op":"relu","output":"z","shape":[2,3],"inputs":["x"]}"#,
    #"{"op":"relu","output":"y","inputs":["nothing"]}"#,
    #"{"op":"relu","output":"y","inputs":[]}"#,
    #"{"op":"relu","output":5,"inputs":["x"]}"#,
    #"{"op":"slice","output":"y","inputs":["x"],"axis":1,"start":0,"stop":1}"#,
  ])
  func whatDoesNotFitIsRefused(layer: String) {
    #expect(throws: EdgeECGError.self) { try run(layer, input: [2, 3], [0, 0, 0, 0, 0, 0]) }
  }
}

private func exponential(_ x: Double) -> Double {
  // The series, halved until it converges at once: an oracle that is not the C library.
  if abs(x) > 0.1 {
    let root = exponential(x / 2)
    return root * root
  }
  return (1...12).reversed().reduce(1.0) { 1 + $0 * x / Double($1) }
}
