using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace MvAdapter.Checkpoints;

/// <summary>A call that the pickle asks its reader to make, such as the one that rebuilds a tensor.</summary>
internal sealed record PickleCall(PickleGlobal Function, params object?[] Arguments);

/// <summary>An object that is kept outside the pickle, by its id.</summary>
internal sealed record PicklePersistent(object? Id);

/// <summary>A dictionary with text keys in the order given, as Python's OrderedDict.</summary>
internal sealed record PickleOrderedDictionary(IEnumerable<KeyValuePair<string, object?>> Items);

/// <summary>Writes the few kinds of value that a PyTorch file needs, in protocol 2.</summary>
internal sealed class PickleWriter
{
    private const byte Protocol = 2;

    private readonly ArrayBufferWriter<byte> output = new();

    /// <summary>The pickle of a value.</summary>
    public static byte[] Write(object? value)
    {
        var writer = new PickleWriter();
        writer.Opcode(PickleOpcode.Proto);
        writer.Bytes([Protocol]);
        writer.Value(value);
        writer.Opcode(PickleOpcode.Stop);
        return writer.output.WrittenSpan.ToArray();
    }

    private void Value(object? value)
    {
        switch (value)
        {
            case bool flag: Opcode(flag ? PickleOpcode.NewTrue : PickleOpcode.NewFalse); break;
            case long integer: Integer(integer); break;
            case string text: Text(text); break;
            case object?[] tuple: Tuple(tuple); break;
            case PickleGlobal global: Global(global); break;
            case PickleOrderedDictionary dictionary: OrderedDictionary(dictionary); break;
            case PickleCall call:
                Global(call.Function);
                Tuple(call.Arguments);
                Opcode(PickleOpcode.Reduce);
                break;
            case PicklePersistent persistent:
                Value(persistent.Id);
                Opcode(PickleOpcode.BinPersId);
                break;
            default: throw new ArgumentException($"a pickle of {value?.GetType().Name ?? "null"} is not supported", nameof(value));
        }
    }

    private void Bytes(ReadOnlySpan<byte> bytes) => output.Write(bytes);

    private void Opcode(PickleOpcode opcode) => Bytes([(byte)opcode]);

    private void Integer(long value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        if (value is >= int.MinValue and <= int.MaxValue)
        {
            Opcode(PickleOpcode.BinInt);
            BinaryPrimitives.WriteInt32LittleEndian(bytes, (int)value);
            Bytes(bytes[..sizeof(int)]);
        }
        else
        {
            Opcode(PickleOpcode.Long1);
            Bytes([sizeof(long)]);
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            Bytes(bytes);
        }
    }

    private void Text(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, utf8.Length);
        Opcode(PickleOpcode.BinUnicode);
        Bytes(length);
        Bytes(utf8);
    }

    private void Tuple(object?[] items)
    {
        Opcode(PickleOpcode.Mark);
        foreach (var item in items) Value(item);
        Opcode(PickleOpcode.Tuple);
    }

    private void Global(PickleGlobal global)
    {
        Opcode(PickleOpcode.Global);
        Bytes(Encoding.UTF8.GetBytes($"{global.Module}\n{global.Name}\n"));
    }

    private void OrderedDictionary(PickleOrderedDictionary dictionary)
    {
        Value(new PickleCall(new PickleGlobal("collections", "OrderedDict", call: null)));
        Opcode(PickleOpcode.Mark);
        foreach (var (key, value) in dictionary.Items)
        {
            Text(key);
            Value(value);
        }
        Opcode(PickleOpcode.SetItems);
    }
}
