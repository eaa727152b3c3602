/// The program on the device: `replay BUNDLE RECORDING` or `open BUNDLE...`; a line of text for whatever happened.
///
/// A bundle is what `edge-ecg pack` writes; its hashes are for whoever puts it on the device. A recording is a file of
/// numbers of eight bytes: the sampling rate, the day as 20240301 or 0, then microvolts.
@main
struct Main {
  private static let chunkSamples = 64

  static func main() {
    let arguments = Device.arguments()
    guard let command = arguments.first else { return Line("usage: replay BUNDLE RECORDING | open BUNDLE...").print() }
    if command == Array("open".utf8) {
      for bundle in arguments.dropFirst() { open(bundle) }
    } else if arguments.count == 3 {
      replay(arguments[1], recording: arguments[2])
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

  private static func replay(_ bundle: [UInt8], recording: [UInt8]) {
    do throws(EdgeECGError) {
      guard var file = DeviceFile(recording), case let header = file.doubles(2), header.count == 2 else {
        throw EdgeECGError.recording("the recording is missing, or has no header")
      }
      defer { file.close() }
      _ = Device.lap()
      var judge = try judge(bundle, sampleRateHz: header[0], date: Int(clamped: header[1]))
      (Line("opened") + Int(Device.lap()) + Int(Device.heapPeak) + Int(Device.stackPeak)).print()
      var (spent, most) = (0, 0)
      while case let samples = file.doubles(chunkSamples), !samples.isEmpty {
        _ = Device.lap()
        let judged = try judge.push(samples)
        let ticks = Int(Device.lap())
        (spent, most) = (spent + ticks, max(most, ticks))
        for beat in judged { print(beat) }
      }
      (Line("recording") + judge.decision.label + judge.tally.logOdds + spent + most).print()
    } catch {
      (Line("refused:") + error.message).print()
    }
  }

  /// What judges a recording of that rate and day; of the bundle's parts it keeps what it needs.
  private static func judge(
    _ bundle: [UInt8], sampleRateHz: Double, date: Int
  ) throws(EdgeECGError) -> BeatJudge<PortableEncoder, PortableComparator> {
    try BeatJudge(
      parts(bundle), sampleRateHz: sampleRateHz,
      day: ECGCalendarDay(year: date / 10000, month: date / 100 % 100, day: date % 100))
  }

  private static func print(_ judged: ECGJudgedBeat) {
    let index = Int(truncatingIfNeeded: judged.beat.rIndex)
    if let vote = judged.vote {
      (Line("beat") + index + vote.sameAsBaseline + vote.sameAsTarget + (vote.hardTarget ? 1 : 0) + vote.evidence
        + judged.decision.label).print()
    } else {
      (Line("skipped") + index + judged.unusable.reduce("") { $0 + ($0.isEmpty ? "" : ", ") + $1.rawValue }).print()
    }
  }

  private static func parts(_ bundle: [UInt8]) throws(EdgeECGError) -> PortableParts {
    let packed = try Safetensors(Device.content(bundle))
    func file(_ name: String) throws(EdgeECGError) -> [UInt8] { try packed.unsignedBytes(name).values }
    let text = try file("manifest.json")
    let manifest: JSONValue
    do throws(JSONError) {
      manifest = try JSONValue(parsing: text)
    } catch {
      throw EdgeECGError.bundle("the manifest is not JSON: \(error.description)")
    }
    return try PortableParts(manifest: manifest, source: "the bundle", content: file)
  }
}
