/// The program on the device: `replay BUNDLE RECORDING...` or `open BUNDLE...`; a line of text for whatever happened.
///
/// A bundle is a folder with `manifest.json`, `layers.json`, `weights.safetensors` and `references.safetensors`. A
/// recording is a file of numbers of eight bytes: the sampling rate, the day as 20240301 or 0, then microvolts.
@main
struct Main {
  private static let chunkSamples = 64

  static func main() {
    let arguments = Device.arguments()
    guard let command = arguments.first else { return Line("usage: replay BUNDLE RECORDING... | open BUNDLE...").print() }
    if command == Array("open".utf8) {
      for bundle in arguments.dropFirst() { open(bundle) }
    } else if arguments.count > 1 {
      replay(arguments[1], recordings: arguments.dropFirst(2))
    }
    (Line("meters") + Int(Device.heapPeak) + Int(Device.stackPeak) + Int(Device.ticksAMillion)).print()
  }

  private static func open(_ bundle: [UInt8]) {
    do throws(EdgeECGError) {
      _ = try parts(bundle)
      Line("opened").print()
    } catch {
      (Line("refused:") + error.message).print()
    }
  }

  private static func replay(_ bundle: [UInt8], recordings: ArraySlice<[UInt8]>) {
    do throws(EdgeECGError) {
      _ = Device.lap()
      let parts = try parts(bundle)
      (Line("opened") + Int(Device.lap()) + Int(Device.heapPeak) + Int(Device.stackPeak)).print()
      for recording in recordings { try replay(recording, parts) }
    } catch {
      (Line("refused:") + error.message).print()
    }
  }

  private static func replay(_ recording: [UInt8], _ parts: BundleParts) throws(EdgeECGError) {
    guard var file = DeviceFile(recording), case let header = file.doubles(2), header.count == 2 else {
      throw EdgeECGError.recording("a recording is missing, or has no header")
    }
    defer { file.close() }
    let date = Int(header[1])
    var judge = try BeatJudge(
      encoder: parts.encoder, comparator: parts.comparator, references: parts.references, contract: parts.contract,
      rule: parts.rule, sampleRateHz: header[0],
      day: CalendarDay(year: date / 10000, month: date / 100 % 100, day: date % 100), dayLevel: nil)
    var (spent, most, count) = (0, 0, 0)
    while case let samples = file.doubles(chunkSamples), !samples.isEmpty {
      _ = Device.lap()
      let judged = try judge.push(samples)
      let ticks = Int(Device.lap())
      (spent, most, count) = (spent + ticks, max(most, ticks), count + samples.count)
      for beat in judged { print(beat) }
    }
    (Line("recording") + judge.tally.decision.label + judge.tally.logOdds + count + spent + most).print()
  }

  private static func print(_ judged: Judged) {
    let index = Int(truncatingIfNeeded: judged.beat.rIndex)
    if let vote = judged.vote {
      (Line("beat") + index + vote.sameAsBaseline + vote.sameAsTarget + (vote.hardTarget ? 1 : 0) + vote.evidence
        + judged.decision.label).print()
    } else {
      (Line("skipped") + index + judged.unusable.reduce("") { $0 + ($0.isEmpty ? "" : ", ") + $1.rawValue }).print()
    }
  }

  private static func parts(_ bundle: [UInt8]) throws(EdgeECGError) -> BundleParts {
    func file(_ name: StaticString) -> [UInt8] {
      Device.content(bundle + [UInt8(ascii: "/")] + name.withUTF8Buffer { Array($0) })
    }
    let manifest: JSONValue
    do throws(JSONError) {
      manifest = try JSONValue(parsing: file("manifest.json"))
    } catch {
      throw EdgeECGError.bundle("the manifest is not JSON: \(error.description)")
    }
    return try BundleParts(
      manifest: manifest, layers: file("layers.json"), weights: file("weights.safetensors"),
      references: file("references.safetensors"))
  }
}
