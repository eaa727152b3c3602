/// The portable form of a bundle: two programs of simple layers, and their weights.
///
/// `edge_ecg/inference/portable.py` is its specification. Here it is only read; ``PortablePlan`` checks every shape.
struct PortableForm: Sendable {
  static let format = 1
  static let layersFile = "portable/layers.json"
  static let weightsFile = "portable/weights.safetensors"

  let encoder: PortableProgram
  let comparator: PortableProgram

  /// - Throws: ``EdgeECGError/bundle(_:)`` for what is no portable form of this format.
  init(layers: [UInt8], weights: [UInt8]) throws(EdgeECGError) {
    let form: JSONValue
    do throws(JSONError) {
      form = try JSONValue(parsing: layers, mostDepth: 16)
    } catch {
      throw EdgeECGError.bundle("the portable form is not JSON: \(error.description)")
    }
    guard form["format"]?.integer == Self.format else {
      throw EdgeECGError.bundle("the portable form is not of format \(Self.format), which this package reads")
    }
    let tensors = try Safetensors(weights)
    encoder = try PortableProgram(form["encoder"], name: "encoder", inputs: ["beat"], tensors: tensors)
    comparator = try PortableProgram(
      form["comparator"], name: "comparator", inputs: ["embedding", "references"], tensors: tensors)
  }
}

/// One program: layers that run in order, each of which computes one array of float32.
struct PortableProgram: Sendable {
  private static let mostLayers = 10_000
  private static let mostDimensions = 8

  struct Input: Sendable {
    let name: String
    let shape: [Size]
  }

  struct Layer: Sendable {
    let op: String
    let inputs: [String]
    let output: String
    let shape: [Size]
    let attributes: JSONValue
  }

  /// A size that is known, or the number of references.
  enum Size: Hashable, Sendable {
    case fixed(Int)
    case references

    func resolved(_ references: Int) -> Int {
      switch self {
      case .fixed(let size): size
      case .references: references
      }
    }
  }

  let name: String
  let inputs: [Input]
  let output: String
  let layers: [Layer]
  let tensors: Safetensors

  var inputShapes: [[Size]] { inputs.map { $0.shape } }

  /// A program with the inputs of these names and no others.
  init(_ json: JSONValue?, name: String, inputs: [String], tensors: Safetensors) throws(EdgeECGError) {
    guard let json, let shapes = json["inputs"], shapes.members?.count == inputs.count,
      let output = json["output"]?.text,
      let layers = json["layers"]?.items, layers.count <= Self.mostLayers
    else { throw EdgeECGError.bundle("the portable \(name) lacks inputs, output or layers") }
    self.name = name
    self.output = output
    self.tensors = tensors
    self.inputs = try inputs.map { input throws(EdgeECGError) in
      Input(name: input, shape: try Self.shape(shapes[input], of: name))
    }
    // What a layer leaves out: its input is the output of the one before, its output is named by its place, its
    // shape is that of its first input.
    var before: [JSONValue] = []
    var known: [String: [Size]] = [:]
    for input in self.inputs { known[input.name] = input.shape }
    var read: [Layer] = []
    for (place, layer) in layers.enumerated() {
      guard let op = layer["op"]?.text, let output = (layer["output"] ?? .string(String(place))).text,
        let inputs = (layer["inputs"] ?? .array(before)).items, case let names = inputs.compactMap({ $0.text }),
        names.count == inputs.count
      else { throw EdgeECGError.bundle("the portable \(name) has a layer without op, inputs or output") }
      let shape: [Size]
      if layer["shape"] == nil, let first = names.first, let follows = known[first] {
        shape = follows
      } else {
        shape = try Self.shape(layer["shape"], of: name)
      }
      before = [.string(output)]
      known[output] = shape
      read.append(Layer(op: op, inputs: names, output: output, shape: shape, attributes: layer))
    }
    self.layers = read
  }

  private static func shape(_ json: JSONValue?, of name: String) throws(EdgeECGError) -> [Size] {
    let sizes = json?.items ?? [.null]
    let shape = sizes.compactMap { item -> Size? in
      if item.text == "R" { return .references }
      return item.integer.flatMap { $0 > 0 ? .fixed($0) : nil }
    }
    guard shape.count == sizes.count, shape.count <= mostDimensions else {
      throw EdgeECGError.bundle("the portable \(name) has a shape that is no list of positive sizes and R")
    }
    return shape
  }
}
