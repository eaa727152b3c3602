/// The words and patterns of file headers, and letters: written by `python -m tests.vocabulary`.
// swift-format-ignore-file
enum Vocabulary {
  static let personKeys = [
    "date of birth", "geburtstag", "name", "出生日期", "姓名",
  ]
  static let rateKeys = [
    "messrate", "sample rate", "采样率",
  ]
  static let shortRateKeys = [
    "frecuencia", "freq", "frequency", "frequenz", "frequenza", "fréquence", "fs", "fsamp", "fsample", "hertz", "hz",
    "rate", "samplerate", "sampling", "sf", "sfreq", "sps", "sr", "srate", "частота", "周波数", "頻率", "频率",
  ]
  static let unitKeys = [
    "einheit", "unidad", "unit", "units", "unité", "единица", "单位", "単位",
  ]
  static let recordedKeys = [
    "aufzeichnungsdatum", "recorded date", "记录日期",
  ]
  static let recordedWords = TextPattern(
    #"record|start|begin|acqui|measure|captur|aufzeichn|aufnahme"#)
  static let marks = Scalars(" \t#;%/*!\"'{}|,")
  static let pairEnd = TextPattern(
    #"[,;|]\s*"#)
  static let pair = TextPattern(
    #"[^\W\d_][^:=\d]*[:=]"#)
  static let afterKey = TextPattern(
    #"\s*(?::=|[,;:\t=|])\s*"#)
  static let word = TextPattern(
    #"[^\W_]+|/"#)
  static let letters = TextPattern(
    #"[^\W\d_]+"#)
  static let sampling = TextPattern(
    #"samp|abtast|échant|echant|muestr|campion|\bcamp\b|amostr|próbk|probk|vzork|дискрет|采样|採樣|取样|取樣|サンプル|サンプリング|샘플|표본|δειγμ|örnek|bemonster|minta|näyt|acqui|digiti|\bdata\b|\badc\b|\bscan\b|\brecording\b"#)
  static let aRate = TextPattern(
    #"rate|freq|frek|fréq|taux|frecu|tasa|tasso|taxa|h(?:z|ertz)\b|speed|часто|率|频|頻|周波数|速度|レート|주파수|속도|συχν|hızı|per ?s(?:ec|\b)|/ ?s\b|\bsps\b|\bfs?\b"#)
  static let anInterval = TextPattern(
    #"interval|period|spacing|\bstep\b|\bdt\b|delta t|^samp\w* time"#)
  static let intervalAlone = TextPattern(
    #"(?:dt|delta t|interval|time step|step)\b"#)
  static let noSampling = TextPattern(
    #"heart|pulse?\b|herz|card|resp|breath|bpm|filter|notch|band ?width|pass\b|cut ?-?off|mains|corner|line freq|power|baud|\bbit|refresh|display|screen|пульс|心"#)
  static let beats = TextPattern(
    #"bpm|/ ?min"#)
  static let rateSuffix = TextPattern(
    #" ?\b(?:in|k?hz|hertz|ecg|nominal)\b"#)
  static let number = TextPattern(
    #"(?<![-\d])(?<!\d[.,\s])(\d+(?:[.,]\d+)?(?:e[-+]?\d+)?)"#, ignoringCase: true)
  static let rate = TextPattern(
    #"(?<![-\d])(?<!\d[.,\s])(\d+(?:[.,]\d+)?(?:e[-+]?\d+)?)(?:\s*\(?\[?(k?)(?:hert|herc|hz|赫|ヘルツ|헤르츠|герц|гц|херц|χερτζ|هرتز|הרץ|เฮิรตซ์)|\s*(k?)(?:sps\b|s/s\b|/ ?s\b|(?:samples?|points?|values?)?\s*(?:per|/)\s*s(?:ec(?:onds?)?)?\b))"#, ignoringCase: true)
  static let step = TextPattern(
    #"(?<![-\d])(?<!\d[.,\s])(\d+(?:[.,]\d+)?(?:e[-+]?\d+)?)\s*(s|sec|ms|msec|us)\s*/\s*sample"#, ignoringCase: true)
  static let kilo = TextPattern(
    #"k(?:hz|hert)"#, ignoringCase: true)
  static let shown = TextPattern(
    #"[-+]?(?:\d+(?:[.,]\d+)?(?:e[-+]?\d+)?|inf(?:inity)?|nan)\s*(?:k?hz|hertz)?"#, ignoringCase: true)
  static let interval = TextPattern(
    #"(?<![-\d])(?<!\d[.,\s])(\d+(?:[.,]\d+)?(?:e[-+]?\d+)?)\s*(s|sec|seconds?|ms|msec|milliseconds?|[µμu]s|ns)?\b"#, ignoringCase: true)
  static let rateInUnknownWords = TextPattern(
    #"(5[012]\d(?:[.,]\d+)?)\s*[^\W\d_][^\d,.;:/]{0,20}"#)
  static let exponent = TextPattern(
    #"\de[-+]?\d"#)
  static let otherUnit = TextPattern(
    #"\d\s*[^\W\d_]"#)
  static let bracketed = TextPattern(
    #"[\[(]\s*([^\])]{1,20}?)\s*[\])]"#)
  static let noVolts = TextPattern(
    #"hz|hert|\d"#, ignoringCase: true)
  static let noUnit = TextPattern(
    #"/|gain|resol|range|scale|filter|\bper\b|\badu?\b|count|lsb|\bbits?\b"#)
  static let time = TextPattern(
    #"(?P<before>(?!Z\b|UTC|GMT)[^\W\d_]+\.?(?:\s?[^\W\d_]+\.?)?\s?)?(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?(?P<after>\s?(?!Z\b|UTC|GMT)[^\W\d_]+\.?(?:\s?[^\W\d_]+\.?)?)?(?:\s?(?:UTC|GMT)(?=[\s+-]|$))?"#)
  static let recordedAt = TextPattern(
    #"(?P<y>\d{4})[-/.](?P<m>\d\d?)[-/.](?P<d>\d\d?)(?:[T\s]+(?P<before>(?!Z\b|UTC|GMT)[^\W\d_]+\.?(?:\s?[^\W\d_]+\.?)?\s?)?(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?(?P<after>\s?(?!Z\b|UTC|GMT)[^\W\d_]+\.?(?:\s?[^\W\d_]+\.?)?)?(?:\s?(?:UTC|GMT)(?=[\s+-]|$))?(?:\s?(?P<zone>Z|[-+]\d\d:?\d\d))?)?"#)
  static let inWords = TextPattern(
    #"(?P<month>[a-z]{3})[a-z]*\.? (?P<d>\d\d?),? (?P<y>\d{4})"#, ignoringCase: true)
  static let dayFirst = TextPattern(
    #"\b(\d\d?)\.(\d\d?)\.(\d{4})\b"#)
  static let eastAsian = TextPattern(
    #"((?<=令和)\d\d?|(?<!\d)\d{4})[年년]\s?(\d\d?)[月월]\s?(\d\d?)[日일]"#)
  static let months = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ]
  static let afterNoon = [
    "ch", "du", "em", "ip", "nachm", "odp", "pm", "μμ", "م", "下午", "午後", "오후",
  ]
  static let beforeNoon = [
    "am", "ap", "de", "dop", "fm", "sa", "vorm", "πμ", "ص", "上午", "午前", "오전",
  ]
  static let microvoltsPer: [(word: String, value: Double)] = [
    ("nv", 0.001), ("nanovolt", 0.001), ("nanovolts", 0.001), ("μv", 1), ("uv", 1), ("mcv", 1), ("microvolt", 1),
    ("microvolts", 1), ("mikrovolt", 1), ("微伏", 1), ("мкв", 1), ("mv", 1000), ("millivolt", 1000),
    ("millivolts", 1000), ("毫伏", 1000), ("мв", 1000), ("v", 1e+06), ("volt", 1e+06), ("volts", 1e+06), ("伏", 1e+06),
  ]
  static let perSecond: [(word: String, value: Double)] = [
    ("s", 1), ("ms", 1000), ("us", 1e+06), ("ns", 1e+09),
  ]
  static let mostHeaderCharacters = 16384
  /// First and last letter or number of each run beyond ASCII, in turn.
  static let wordRuns: [UInt16] = [
    170, 170, 178, 179, 181, 181, 185, 186, 188, 190, 192, 214, 216, 246, 248, 544, 546, 563, 592, 685, 688, 696,
    699, 705, 720, 721, 736, 740, 750, 750, 890, 890, 902, 902, 904, 906, 908, 908, 910, 929, 931, 974, 976, 1013,
    1024, 1153, 1162, 1230, 1232, 1269, 1272, 1273, 1280, 1295, 1329, 1366, 1369, 1369, 1377, 1415, 1488, 1514, 1520,
    1522, 1569, 1594, 1600, 1610, 1632, 1641, 1646, 1647, 1649, 1747, 1749, 1749, 1765, 1766, 1776, 1788, 1808, 1808,
    1810, 1836, 1920, 1957, 1969, 1969, 2309, 2361, 2365, 2365, 2384, 2384, 2392, 2401, 2406, 2415, 2437, 2444, 2447,
    2448, 2451, 2472, 2474, 2480, 2482, 2482, 2486, 2489, 2524, 2525, 2527, 2529, 2534, 2545, 2548, 2553, 2565, 2570,
    2575, 2576, 2579, 2600, 2602, 2608, 2610, 2611, 2613, 2614, 2616, 2617, 2649, 2652, 2654, 2654, 2662, 2671, 2674,
    2676, 2693, 2699, 2701, 2701, 2703, 2705, 2707, 2728, 2730, 2736, 2738, 2739, 2741, 2745, 2749, 2749, 2768, 2768,
    2784, 2784, 2790, 2799, 2821, 2828, 2831, 2832, 2835, 2856, 2858, 2864, 2866, 2867, 2870, 2873, 2877, 2877, 2908,
    2909, 2911, 2913, 2918, 2927, 2947, 2947, 2949, 2954, 2958, 2960, 2962, 2965, 2969, 2970, 2972, 2972, 2974, 2975,
    2979, 2980, 2984, 2986, 2990, 2997, 2999, 3001, 3047, 3058, 3077, 3084, 3086, 3088, 3090, 3112, 3114, 3123, 3125,
    3129, 3168, 3169, 3174, 3183, 3205, 3212, 3214, 3216, 3218, 3240, 3242, 3251, 3253, 3257, 3294, 3294, 3296, 3297,
    3302, 3311, 3333, 3340, 3342, 3344, 3346, 3368, 3370, 3385, 3424, 3425, 3430, 3439, 3461, 3478, 3482, 3505, 3507,
    3515, 3517, 3517, 3520, 3526, 3585, 3632, 3634, 3635, 3648, 3654, 3664, 3673, 3713, 3714, 3716, 3716, 3719, 3720,
    3722, 3722, 3725, 3725, 3732, 3735, 3737, 3743, 3745, 3747, 3749, 3749, 3751, 3751, 3754, 3755, 3757, 3760, 3762,
    3763, 3773, 3773, 3776, 3780, 3782, 3782, 3792, 3801, 3804, 3805, 3840, 3840, 3872, 3891, 3904, 3911, 3913, 3946,
    3976, 3979, 4096, 4129, 4131, 4135, 4137, 4138, 4160, 4169, 4176, 4181, 4256, 4293, 4304, 4344, 4352, 4441, 4447,
    4514, 4520, 4601, 4608, 4614, 4616, 4678, 4680, 4680, 4682, 4685, 4688, 4694, 4696, 4696, 4698, 4701, 4704, 4742,
    4744, 4744, 4746, 4749, 4752, 4782, 4784, 4784, 4786, 4789, 4792, 4798, 4800, 4800, 4802, 4805, 4808, 4814, 4816,
    4822, 4824, 4846, 4848, 4878, 4880, 4880, 4882, 4885, 4888, 4894, 4896, 4934, 4936, 4954, 4969, 4988, 5024, 5108,
    5121, 5740, 5743, 5750, 5761, 5786, 5792, 5866, 5870, 5872, 5888, 5900, 5902, 5905, 5920, 5937, 5952, 5969, 5984,
    5996, 5998, 6000, 6016, 6067, 6103, 6103, 6108, 6108, 6112, 6121, 6160, 6169, 6176, 6263, 6272, 6312, 7680, 7835,
    7840, 7929, 7936, 7957, 7960, 7965, 7968, 8005, 8008, 8013, 8016, 8023, 8025, 8025, 8027, 8027, 8029, 8029, 8031,
    8061, 8064, 8116, 8118, 8124, 8126, 8126, 8130, 8132, 8134, 8140, 8144, 8147, 8150, 8155, 8160, 8172, 8178, 8180,
    8182, 8188, 8304, 8305, 8308, 8313, 8319, 8329, 8450, 8450, 8455, 8455, 8458, 8467, 8469, 8469, 8473, 8477, 8484,
    8484, 8486, 8486, 8488, 8488, 8490, 8493, 8495, 8497, 8499, 8505, 8509, 8511, 8517, 8521, 8531, 8579, 9312, 9371,
    9450, 9470, 10102, 10131, 12293, 12295, 12321, 12329, 12337, 12341, 12344, 12348, 12353, 12438, 12445, 12447,
    12449, 12538, 12540, 12543, 12549, 12588, 12593, 12686, 12690, 12693, 12704, 12727, 12784, 12799, 12832, 12841,
    12881, 12895, 12928, 12937, 12977, 12991, 13312, 19893, 19968, 40869, 40960, 42124, 44032, 55203, 63744, 64045,
    64048, 64106, 64256, 64262, 64275, 64279, 64285, 64285, 64287, 64296, 64298, 64310, 64312, 64316, 64318, 64318,
    64320, 64321, 64323, 64324, 64326, 64433, 64467, 64829, 64848, 64911, 64914, 64967, 65008, 65019, 65136, 65140,
    65142, 65276, 65296, 65305, 65313, 65338, 65345, 65370, 65382, 65470, 65474, 65479, 65482, 65487, 65490, 65495,
    65498, 65500,
  ]
  /// The zero of each script's digits beyond ASCII.
  static let zeros: [UInt16] = [
    1632, 1776, 2406, 2534, 2662, 2790, 2918, 3174, 3302, 3430, 3664, 3792, 3872, 4160, 6112, 6160, 65296,
  ]
  /// Capitals in runs: first, last, step, and distance to the small letter.
  static let capitals: [Int32] = [
    192, 214, 1, 32, 216, 222, 1, 32, 256, 302, 2, 1, 306, 310, 2, 1, 313, 327, 2, 1, 330, 374, 2, 1, 376, 376, 1,
    -121, 377, 381, 2, 1, 383, 383, 1, -268, 902, 902, 1, 38, 904, 906, 1, 37, 908, 908, 1, 64, 910, 911, 1, 63, 913,
    929, 1, 32, 931, 939, 1, 32, 962, 962, 1, 1, 976, 976, 1, -30, 977, 977, 1, -25, 981, 981, 1, -15, 982, 982, 1,
    -22, 984, 1006, 2, 1, 1008, 1008, 1, -54, 1009, 1009, 1, -48, 1012, 1012, 1, -60, 1013, 1013, 1, -64, 1024, 1039,
    1, 80, 1040, 1071, 1, 32, 1120, 1152, 2, 1, 1162, 1214, 2, 1, 1216, 1216, 1, 15, 1217, 1229, 2, 1, 1232, 1268, 2,
    1, 1272, 1272, 1, 1, 1280, 1294, 2, 1, 1329, 1366, 1, 48,
  ]
}
