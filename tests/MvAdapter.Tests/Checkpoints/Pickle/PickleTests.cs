using System.Numerics;
using System.Text;
using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Checkpoints;

public sealed class PickleTests
{
    // {'a': [['A', 'man'], []], 'n': (1, -2, 300, 70000, 2**40, -2**70), 'f': 1.5, 't': True, 'x': False, 'z': None,
    //  'b': b'\x00\xff', 'u': 'né中😀\\\n', 's': {3}, 'o': OrderedDict(k=1)}, as Python writes it
    private const string Protocol0 = "286470300a56610a70310a286c70320a286c70330a56410a70340a61566d616e0a70350a6161286c70360a6173566e0a70370a2849310a492d320a493330300a4937303030300a4c313039393531313632373737364c0a4c2d313138303539313632303731373431313330333432344c0a7470380a7356660a70390a46312e350a7356740a7031300a4930310a7356780a7031310a4930300a73567a0a7031320a4e7356620a7031330a635f636f646563730a656e636f64650a7031340a28565c7530303030ff0a7031350a566c6174696e310a7031360a747031370a527031380a7356750a7031390a566ee95c75346532645c5530303031663630305c75303035635c75303030610a7032300a7356730a7032310a635f5f6275696c74696e5f5f0a7365740a7032320a28286c7032330a49330a61747032340a527032350a73566f0a7032360a63636f6c6c656374696f6e730a4f726465726564446963740a7032370a2874527032380a566b0a7032390a49310a73732e";
    private const string Protocol2 = "80027d71002858010000006171015d7102285d710328580100000041710458030000006d616e7105655d71066558010000006e7107284b014afeffffff4d2c014a701101008a060000000000018a090000000000000000c07471085801000000667109473ff8000000000000580100000074710a88580100000078710b8958010000007a710c4e580100000062710d635f636f646563730a656e636f64650a710e580300000000c3bf710f58060000006c6174696e3171108671115271125801000000757113580c0000006ec3a9e4b8adf09f98805c0a71145801000000737115635f5f6275696c74696e5f5f0a7365740a71165d71174b036185711852711958010000006f711a63636f6c6c656374696f6e730a4f726465726564446963740a711b2952711c58010000006b711d4b0173752e";
    private const string Protocol4 = "800495b4000000000000007d94288c0161945d94285d94288c0141948c036d616e94655d94658c016e94284b014afeffffff4d2c014a701101008a060000000000018a090000000000000000c074948c016694473ff80000000000008c017494888c017894898c017a944e8c016294430200ff948c0175948c0c6ec3a9e4b8adf09f98805c0a948c0173948f94284b03908c016f948c0b636f6c6c656374696f6e73948c0b4f726465726564446963749493942952948c016b944b0173752e";

    [Theory]
    [InlineData(Protocol0)]
    [InlineData(Protocol2)]
    [InlineData(Protocol4)]
    [InlineData("8005" + "95b4000000000000007d94288c0161945d94285d94288c0141948c036d616e94655d94658c016e94284b014afeffffff4d2c014a701101008a060000000000018a090000000000000000c074948c016694473ff80000000000008c017494888c017894898c017a944e8c016294430200ff948c0175948c0c6ec3a9e4b8adf09f98805c0a948c0173948f94284b03908c016f948c0b636f6c6c656374696f6e73948c0b4f726465726564446963749493942952948c016b944b0173752e")]
    public void Every_protocol_gives_the_same_values(string hexadecimal)
    {
        var read = Assert.IsType<Dictionary<object, object?>>(Read(Convert.FromHexString(hexadecimal)));
        Assert.Equal(new List<object?> { new List<object?> { "A", "man" }, new List<object?>() }, read["a"]);
        Assert.Equal(new object?[] { 1L, -2L, 300L, 70000L, 1L << 40, -(BigInteger.One << 70) }, read["n"]);
        Assert.Equal(1.5, read["f"]);
        Assert.Equal(true, read["t"]);
        Assert.Equal(false, read["x"]);
        Assert.Null(read["z"]);
        Assert.Equal(new byte[] { 0, 255 }, read["b"]);
        Assert.Equal("né中😀\\\n", read["u"]);
        Assert.Equal([3L], Assert.IsType<HashSet<object>>(read["s"]));
        Assert.Equal(new Dictionary<object, object?> { ["k"] = 1L }, read["o"]);
    }

    [Theory]
    [InlineData("S'it\\'s \\x41\\n\\\\'\n.", "it's A\n\\")]
    [InlineData("S\"a'b\"\n.", "a'b")]
    [InlineData("U\u0003\u00c3\u00a9!.", "é!")]
    [InlineData("U\u0002\u00e9!.", "é!")]
    [InlineData("T\u0001\u0000\u0000\u0000x.", "x")]
    [InlineData("X\u0002\u0000\u0000\u0000\u00c3\u00a9.", "é")]
    public void Python_2_strings_are_text(string pickle, string expected) => Assert.Equal(expected, Read(Latin1(pickle)));

    [Fact]
    public void A_list_that_holds_itself_is_read()
    {
        var list = Assert.IsType<List<object?>>(Read(Convert.FromHexString("80025d71006800612e")));
        Assert.Same(list, Assert.Single(list));
    }

    [Fact]
    public void Deep_nesting_takes_no_stack()
    {
        const int depth = 1_000_000;
        var value = Read([.. Enumerable.Repeat((byte)']', depth), .. Enumerable.Repeat((byte)'a', depth - 1), (byte)'.']);
        for (var i = 1; i < depth; i++) value = Assert.IsType<List<object?>>(value)[0];
    }

    [Theory]
    [InlineData("cos\nsystem\n(S'echo owned'\ntR.", "os.system")]
    [InlineData("(S'echo owned'\nios\nsystem\n.", "os.system")]
    [InlineData("\u0080\u0004\u008c\u0005posix\u008c\u0006system\u0093\u008c\u0001x\u0085R.", "posix.system")]
    [InlineData("c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval")]
    [InlineData("c__builtin__\nset\u001b\n.", "__builtin__.set\\x1b")]
    public void A_function_off_the_list_is_refused_by_name(string pickle, string name)
    {
        var exception = Assert.Throws<InvalidFileException>(() => Read(Latin1(pickle)));
        Assert.StartsWith($"captions.pkl: the file asks for the Python function or class {name}, which", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "cut off")]
    [InlineData("\u0080\u0009.", "protocol 9")]
    [InlineData("X\u00ff\u00ff\u00ff\u007f.", "2147483647 bytes are claimed")]
    [InlineData("\u008e\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff.", "18446744073709551615 bytes are claimed")]
    [InlineData("\u008b\u00ff\u00ff\u00ff\u00ff.", "integer of 4294967295 bytes")]
    [InlineData("\u0095\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff.", "frame")]
    [InlineData(".", "never made")]
    [InlineData("(.", "never made")]
    [InlineData("0.", "never made")]
    [InlineData("t.", "never made")]
    [InlineData("Na.", "never made")]
    [InlineData("NNa.", "a list to fill is missing")]
    [InlineData("}(Nu.", "no value")]
    [InlineData("}(NNu.", "neither text nor a number")]
    [InlineData("}](NNub.", "a dictionary to fill is missing")]
    [InlineData("h\u0001.", "no entry 1")]
    [InlineData("g-1\n.", "no memo index")]
    [InlineData("I1x\n.", "no integer")]
    [InlineData("F1x\n.", "no number")]
    [InlineData("S'a\n.", "not quoted")]
    [InlineData("S'\\x4'\n.", "malformed escape")]
    [InlineData("V\\u12\n.", "malformed escape")]
    [InlineData("V\\Uffffffff\n.", "malformed escape")]
    [InlineData("N)R.", "a function or class to call is missing")]
    [InlineData("NQ.", "objects outside the file")]
    [InlineData("N}b.", "attributes")]
    [InlineData("\u0082\u0001.", "extension registry")]
    [InlineData("\u0097.", "buffers outside")]
    [InlineData("\u00ff.", "0xff")]
    [InlineData("ccollections\nOrderedDict\n(I1\ntR.", "something else than pairs")]
    public void A_damaged_pickle_is_named(string pickle, string reason)
    {
        var exception = Assert.Throws<InvalidFileException>(() => Read(Latin1(pickle)));
        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_small_pickle_that_builds_much_is_refused()
    {
        var pickle = new StringBuilder("c__builtin__\nset\np0\n(").Append('N', 2000).Append("lp1\n");
        for (var i = 0; i < 2000; i++) pickle.Append("h\0h\u0001\u0085R0");
        var exception = Assert.Throws<InvalidFileException>(() => Read(Latin1(pickle.Replace('N', 'K').Replace("K", "K\u0001").Append('.').ToString())));
        Assert.Contains("far more than it holds", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Persistent_ids_go_to_the_caller() =>
        Assert.Equal("<storage 7>", Pickle.Read(Latin1("K\u0007Q."), "file", PickleGlobals.Containers(), id => $"<storage {id}>"));

    [Theory]
    [InlineData(Protocol0)]
    [InlineData(Protocol2)]
    [InlineData(Protocol4)]
    public void Damaged_files_give_a_clear_line(string hexadecimal) =>
        HostileInput.Check(Convert.FromHexString(hexadecimal), path => Pickle.ReadFile(path, PickleGlobals.Containers()), cases: 1000);

    private static object? Read(byte[] pickle) => Pickle.Read(pickle, "captions.pkl", PickleGlobals.Containers());

    private static byte[] Latin1(string text) => Encoding.Latin1.GetBytes(text);
}
