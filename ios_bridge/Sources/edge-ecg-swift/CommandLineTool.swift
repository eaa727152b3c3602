import EdgeECG
import Foundation

/// `edge-ecg-swift`: each command reads files, calls one part of the package and prints.
struct CommandLineTool {
  private static let usage = """
    Usage: edge-ecg-swift COMMAND ...

      replay BUNDLE RECORDING... [--day-baseline FILE]... [--json] [--beats] [--chunk N]
          Replay recordings through a bundle: beats, votes, a decision as early as the evidence allows. It is
          provisional while beats come in, and must still hold when the recording ends.
          --day-baseline  a recording of the baseline, made on the day that is judged; two are better than one
          --json   one JSON object a recording, as `edge-ecg replay --json`
          --beats  in it, all R peaks, and every beat with embedding, logits and vote
      verify BUNDLE...
          Verify bundles, and their golden vectors with the portable engine.
      bench BUNDLE [RECORDING]
          Time one beat (encode, compare, vote) and a recording.

    Research and engineering of on-device ECG models. Not a medical device.
    """
  private static let badInput: Int32 = 2

  let arguments: [String]

  /// The exit code.
  func run() -> Int32 {
    do {
      switch arguments.first {
      case "replay": return try replay(Array(arguments.dropFirst()))
      case "verify": return try verify(Array(arguments.dropFirst()))
      case "bench": return try bench(Array(arguments.dropFirst()))
      case "--help", "-h", "help":
        print(Self.usage)
        return 0
      default:
        throw UsageError(message: "expected a command: replay, verify or bench")
      }
    } catch let error as UsageError {
      report("\(error.message)\n\n\(Self.usage)")
    } catch {
      report("\(error)")
    }
    return Self.badInput
  }

  private func replay(_ arguments: [String]) throws -> Int32 {
    var paths: [String] = []
    var dayFiles: [String] = []
    var chunk = 64
    var asJSON = false
    var withBeats = false
    var rest = arguments.makeIterator()
    while let argument = rest.next() {
      switch argument {
      case "--json": asJSON = true
      case "--beats": withBeats = true
      case "--day-baseline":
        guard let file = rest.next() else { throw UsageError(message: "--day-baseline wants a recording") }
        dayFiles.append(file)
      case "--chunk":
        guard let number = rest.next().flatMap({ Int($0) }), number > 0 else {
          throw UsageError(message: "--chunk wants a number of samples above 0")
        }
        chunk = number
      case _ where argument.hasPrefix("--"): throw UsageError(message: "there is no option \(argument)")
      default: paths.append(argument)
      }
    }
    guard paths.count > 1 else { throw UsageError(message: "replay wants a bundle and at least one recording") }
    let bundle = try ECGBundle(contentsOf: file(paths.removeFirst()))
    let dayBaseline =
      dayFiles.isEmpty
      ? nil : try ECGDayBaseline(bundle: bundle, recordings: dayFiles.map { try ECGRecording(contentsOf: file($0)) })
    if !asJSON { print(ReplayRow.header) }
    var code: Int32 = 0
    for path in paths {
      do {
        let row = try ReplayRow(
          ECGRecording(contentsOf: file(path)), bundle, chunkSamples: chunk, dayBaseline: dayBaseline)
        print(asJSON ? try row.json(withBeats: withBeats) : row.text)
      } catch let error as EdgeECGError where !error.message.hasPrefix(path) {
        report("\(path): \(error)")
        code = Self.badInput
      } catch {  // a bad recording is reported and the others still run
        report("\(error)")
        code = Self.badInput
      }
    }
    return code
  }

  private func verify(_ arguments: [String]) throws -> Int32 {
    guard !arguments.isEmpty else { throw UsageError(message: "verify wants a bundle") }
    var code: Int32 = 0
    for path in arguments {
      do {
        if try !verify(ECGBundle(contentsOf: file(path))) { code = max(code, 1) }
      } catch {  // a bad bundle is reported and the others are still verified
        report("\(error)")
        code = Self.badInput
      }
    }
    return code
  }

  private func verify(_ bundle: ECGBundle) throws -> Bool {
    print("\(bundle.source): verified, \((bundle.manifest["files"]?.members?.count ?? 0) + 2) files")
    print("labels        \(bundle.labels.baseline) (baseline), \(bundle.labels.target) (target)")
    print(
      "references    \(bundle.references.baselineCount) \(bundle.labels.baseline), "
        + "\(bundle.references.targetCount) \(bundle.labels.target), \(bundle.references.embeddingLength) numbers each")
    let golden = try bundle.folder.map { try GoldenCheck(bundle, $0) }
    print(golden?.summary ?? "golden        no vectors in a packed bundle")
    print("intended use  \(bundle.intendedUse)")
    return golden?.isPassed ?? true
  }

  private func bench(_ arguments: [String]) throws -> Int32 {
    guard (1...2).contains(arguments.count) else {
      throw UsageError(message: "bench wants a bundle and at most one recording")
    }
    let bundle = try ECGBundle(contentsOf: file(arguments[0]))
    let recording = try arguments.dropFirst().first.map { try ECGRecording(contentsOf: file($0)) }
    for line in try Bench(bundle, recording).lines() { print(line) }
    return 0
  }

  private func file(_ path: String) -> URL { URL(fileURLWithPath: path) }

  private func report(_ message: String) {
    FileHandle.standardError.write(Data("error: \(message)\n".utf8))
  }
}

/// A command that was not typed as the usage says.
struct UsageError: Error {
  let message: String
}
