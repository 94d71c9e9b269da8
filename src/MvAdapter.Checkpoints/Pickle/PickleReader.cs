using System.Collections;
using System.Globalization;
using System.Numerics;

namespace MvAdapter.Checkpoints;

/// <summary>
/// The machine that a pickle is a program for. It has no loops and no calls, so it ends after at most as many steps
/// as there are bytes, and however deep the values nest, reading them takes no stack.
/// </summary>
internal sealed class PickleReader(ReadOnlyMemory<byte> data, PickleGlobals globals, Func<object?, object?>? persistent)
{
    private const int HighestProtocol = 5;
    private const uint MaxIntegerBytes = 1024;

    // One byte can make one object of up to a hundred bytes; this keeps a hostile file from filling the memory.
    private const int MaxSteps = 40_000_000;

    // Each argument of a call was made from bytes of its own, unless the memo hands the same large one to many calls.
    private const int MaxConsumption = 4;

    private readonly PickleInput input = new(data);
    private readonly PickleStack stack = new();
    private long consumed;

    public object? Read()
    {
        for (var steps = 0; steps < MaxSteps; steps++)
        {
            var opcode = (PickleOpcode)input.Byte();
            if (opcode == PickleOpcode.Stop) return stack.Pop();
            if (!PushScalar(opcode) && !PushContainer(opcode) && !Fill(opcode) && !Construct(opcode) && !Administer(opcode))
                throw new PickleException($"is no pickle, or a damaged one: byte {input.Position - 1} is no instruction (0x{(byte)opcode:x2})");
        }
        throw new PickleException($"the pickle has more than {MaxSteps} instructions, too many for plain data");
    }

    private bool PushScalar(PickleOpcode opcode)
    {
        object? value;
        switch (opcode)
        {
            case PickleOpcode.None: value = null; break;
            case PickleOpcode.NewTrue: value = true; break;
            case PickleOpcode.NewFalse: value = false; break;
            case PickleOpcode.Int: value = IntegerOrBool(input.Ascii()); break;
            case PickleOpcode.Long: value = PickleText.Integer(input.Ascii().TrimEnd('L')); break;
            case PickleOpcode.BinInt: value = (long)input.Int32(); break;
            case PickleOpcode.BinInt1: value = (long)input.Byte(); break;
            case PickleOpcode.BinInt2: value = (long)input.UInt16(); break;
            case PickleOpcode.Long1: value = Integer(input.Byte()); break;
            case PickleOpcode.Long4: value = Integer(input.UInt32()); break;
            case PickleOpcode.Float: value = PickleText.Float(input.Ascii()); break;
            case PickleOpcode.BinFloat: value = input.BigEndianDouble(); break;
            case PickleOpcode.String: value = PickleText.Quoted(input.Line()); break;
            case PickleOpcode.BinString: value = PickleInput.Text(input.Bytes(input.UInt32())); break;
            case PickleOpcode.ShortBinString: value = PickleInput.Text(input.Bytes(input.Byte())); break;
            case PickleOpcode.Unicode: value = PickleText.RawUnicode(input.Line()); break;
            case PickleOpcode.BinUnicode: value = input.Utf8(input.UInt32()); break;
            case PickleOpcode.ShortBinUnicode: value = input.Utf8(input.Byte()); break;
            case PickleOpcode.BinUnicode8: value = input.Utf8(input.UInt64()); break;
            case PickleOpcode.BinBytes: value = input.Bytes(input.UInt32()).ToArray(); break;
            case PickleOpcode.ShortBinBytes: value = input.Bytes(input.Byte()).ToArray(); break;
            case PickleOpcode.BinBytes8 or PickleOpcode.ByteArray8: value = input.Bytes(input.UInt64()).ToArray(); break;
            default: return false;
        }
        stack.Push(value);
        return true;
    }

    private bool PushContainer(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.EmptyList: stack.Push(new List<object?>()); break;
            case PickleOpcode.List: stack.Push(new List<object?>(stack.PopToMark())); break;
            case PickleOpcode.EmptyDict: stack.Push(NewDictionary()); break;
            case PickleOpcode.Dict: stack.Push(SetItems(NewDictionary(), stack.PopToMark())); break;
            case PickleOpcode.EmptySet: stack.Push(NewSet()); break;
            case PickleOpcode.FrozenSet: stack.Push(AddItems(NewSet(), stack.PopToMark())); break;
            case PickleOpcode.EmptyTuple: stack.Push(Array.Empty<object?>()); break;
            case PickleOpcode.Tuple1: stack.Push(stack.PopTuple(1)); break;
            case PickleOpcode.Tuple2: stack.Push(stack.PopTuple(2)); break;
            case PickleOpcode.Tuple3: stack.Push(stack.PopTuple(3)); break;
            case PickleOpcode.Tuple: stack.Push(stack.PopToMark()); break;
            default: return false;
        }
        return true;
    }

    private bool Fill(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Append:
                Append(stack.PopTuple(1));
                break;
            case PickleOpcode.Appends:
                Append(stack.PopToMark());
                break;
            case PickleOpcode.SetItem:
                var pair = stack.PopTuple(2);
                SetItems(stack.Peek<Dictionary<object, object?>>("a dictionary to fill"), pair);
                break;
            case PickleOpcode.SetItems:
                var pairs = stack.PopToMark();
                SetItems(stack.Peek<Dictionary<object, object?>>("a dictionary to fill"), pairs);
                break;
            case PickleOpcode.AddItems:
                var items = stack.PopToMark();
                AddItems(stack.Peek<HashSet<object>>("a set to fill"), items);
                break;
            case PickleOpcode.Build:
                Build(stack.Pop());
                break;
            default: return false;
        }
        return true;
    }

    private bool Construct(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Global:
                stack.Push(globals.Find(input.Ascii(), input.Ascii()));
                break;
            case PickleOpcode.StackGlobal:
                var name = stack.Pop<string>("a name");
                stack.Push(globals.Find(stack.Pop<string>("a module"), name));
                break;
            case PickleOpcode.Inst:
                var instanceOf = globals.Find(input.Ascii(), input.Ascii());
                Call(instanceOf, stack.PopToMark());
                break;
            case PickleOpcode.Obj:
                if (stack.PopToMark() is not [PickleGlobal type, .. var values]) throw new PickleException("the pickle is damaged: a class is missing");
                Call(type, values);
                break;
            case PickleOpcode.NewObjEx:
                if (stack.Pop<Dictionary<object, object?>>("named arguments").Count > 0)
                    throw new PickleException("it passes named arguments to a class, which plain data never needs");
                Call();
                break;
            case PickleOpcode.Reduce or PickleOpcode.NewObj:
                Call();
                break;
            case PickleOpcode.PersId:
                stack.Push(Persistent(input.Ascii()));
                break;
            case PickleOpcode.BinPersId:
                stack.Push(Persistent(stack.Pop()));
                break;
            default: return false;
        }
        return true;
    }

    private bool Administer(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Proto when input.Byte() is var protocol:
                if (protocol > HighestProtocol) throw new PickleException($"is a pickle of protocol {protocol}; protocols up to {HighestProtocol} can be read");
                break;
            case PickleOpcode.Frame:
                // A frame only helps a reader that buffers; what is inside is read as usual.
                if (input.UInt64() > (ulong)(data.Length - input.Position)) throw new PickleException("the pickle is cut off: a frame is longer than the file");
                break;
            case PickleOpcode.Mark: stack.Mark(); break;
            case PickleOpcode.Pop: stack.Drop(); break;
            case PickleOpcode.PopMark: stack.PopToMark(); break;
            case PickleOpcode.Dup: stack.Push(stack.Peek()); break;
            case PickleOpcode.Memoize: stack.RememberNext(); break;
            case PickleOpcode.Put: stack.Remember(MemoIndex(input.Ascii())); break;
            case PickleOpcode.BinPut: stack.Remember(input.Byte()); break;
            case PickleOpcode.LongBinPut: stack.Remember(input.UInt32()); break;
            case PickleOpcode.Get: stack.Recall(MemoIndex(input.Ascii())); break;
            case PickleOpcode.BinGet: stack.Recall(input.Byte()); break;
            case PickleOpcode.LongBinGet: stack.Recall(input.UInt32()); break;
            case PickleOpcode.Ext1 or PickleOpcode.Ext2 or PickleOpcode.Ext4:
                throw new PickleException("it uses Python's extension registry, which cannot be read");
            case PickleOpcode.NextBuffer or PickleOpcode.ReadOnlyBuffer:
                throw new PickleException("it refers to buffers outside the file, which cannot be read");
            default: return false;
        }
        return true;
    }

    private void Call()
    {
        var arguments = stack.Pop<object?[]>("a tuple of arguments");
        Call(stack.Pop<PickleGlobal>("a function or class to call"), arguments);
    }

    private void Call(PickleGlobal function, object?[] arguments)
    {
        foreach (var argument in arguments) consumed += argument switch
        {
            string text => text.Length,
            byte[] bytes => bytes.Length,
            ICollection collection => collection.Count,
            _ => 0,
        };
        if (consumed > MaxConsumption * (long)data.Length) throw new PickleException("it builds far more than it holds");
        stack.Push(function.Call(arguments));
    }

    private void Build(object? state)
    {
        switch (stack.Peek())
        {
            case PickleObject instance: instance.State = state; break;
            // Attributes of a dictionary, such as the versions that PyTorch adds to a state dict, are no part of its content.
            case Dictionary<object, object?>: break;
            default: throw new PickleException("it sets attributes of something that has none");
        }
    }

    private object? Persistent(object? id) => persistent is null
        ? throw new PickleException("it refers to objects outside the file, which cannot be read")
        : persistent(id);

    private void Append(object?[] items) => stack.Peek<List<object?>>("a list to fill").AddRange(items);

    private static Dictionary<object, object?> NewDictionary() => new(PickleKeyComparer.Instance);

    private static HashSet<object> NewSet() => new(PickleKeyComparer.Instance);

    private static Dictionary<object, object?> SetItems(Dictionary<object, object?> dictionary, object?[] pairs)
    {
        if (pairs.Length % 2 != 0) throw new PickleException("the pickle is damaged: a dictionary key has no value");
        for (var i = 0; i < pairs.Length; i += 2) dictionary[Pickle.Key(pairs[i])] = pairs[i + 1];
        return dictionary;
    }

    private static HashSet<object> AddItems(HashSet<object> set, object?[] items)
    {
        foreach (var item in items) set.Add(Pickle.Key(item));
        return set;
    }

    // Protocols 0 and 1 spell True and False so.
    private static object IntegerOrBool(string text) => text switch { "01" => true, "00" => false, _ => PickleText.Integer(text) };

    private object Integer(uint byteCount)
    {
        if (byteCount > MaxIntegerBytes) throw new PickleException($"the pickle is damaged: it claims an integer of {byteCount} bytes");
        return PickleText.Integer(new BigInteger(input.Bytes(byteCount)));
    }

    private static long MemoIndex(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
        ? index
        : throw new PickleException($"the pickle is damaged: {TextForMessage.Quote(text, 40)} is no memo index");
}
