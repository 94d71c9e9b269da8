using System.Collections;
using System.Globalization;
using System.Numerics;

namespace MvAdapter.Formats;

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

    private readonly PickleInput _input = new(data);
    private readonly PickleStack _stack = new();
    private long _consumed;

    public object? Read()
    {
        for (var steps = 0; steps < MaxSteps; steps++)
        {
            var opcode = (PickleOpcode)_input.Byte();
            if (opcode == PickleOpcode.Stop) return _stack.Pop();
            if (!PushScalar(opcode) && !PushContainer(opcode) && !Fill(opcode) && !Construct(opcode) && !Administer(opcode))
                throw new PickleException($"is no pickle, or a damaged one: byte {_input.Position - 1} is no instruction (0x{(byte)opcode:x2})");
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
            case PickleOpcode.Int: value = IntegerOrBool(_input.Ascii()); break;
            case PickleOpcode.Long: value = PickleText.Integer(_input.Ascii().TrimEnd('L')); break;
            case PickleOpcode.BinInt: value = (long)_input.Int32(); break;
            case PickleOpcode.BinInt1: value = (long)_input.Byte(); break;
            case PickleOpcode.BinInt2: value = (long)_input.UInt16(); break;
            case PickleOpcode.Long1: value = Integer(_input.Byte()); break;
            case PickleOpcode.Long4: value = Integer(_input.UInt32()); break;
            case PickleOpcode.Float: value = PickleText.Float(_input.Ascii()); break;
            case PickleOpcode.BinFloat: value = _input.BigEndianDouble(); break;
            case PickleOpcode.String: value = PickleText.Quoted(_input.Line()); break;
            case PickleOpcode.BinString: value = PickleInput.Text(_input.Bytes(_input.UInt32())); break;
            case PickleOpcode.ShortBinString: value = PickleInput.Text(_input.Bytes(_input.Byte())); break;
            case PickleOpcode.Unicode: value = PickleText.RawUnicode(_input.Line()); break;
            case PickleOpcode.BinUnicode: value = _input.Utf8(_input.UInt32()); break;
            case PickleOpcode.ShortBinUnicode: value = _input.Utf8(_input.Byte()); break;
            case PickleOpcode.BinUnicode8: value = _input.Utf8(_input.UInt64()); break;
            case PickleOpcode.BinBytes: value = _input.Bytes(_input.UInt32()).ToArray(); break;
            case PickleOpcode.ShortBinBytes: value = _input.Bytes(_input.Byte()).ToArray(); break;
            case PickleOpcode.BinBytes8 or PickleOpcode.ByteArray8: value = _input.Bytes(_input.UInt64()).ToArray(); break;
            default: return false;
        }
        _stack.Push(value);
        return true;
    }

    private bool PushContainer(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.EmptyList: _stack.Push(new List<object?>()); break;
            case PickleOpcode.List: _stack.Push(new List<object?>(_stack.PopToMark())); break;
            case PickleOpcode.EmptyDict: _stack.Push(NewDictionary()); break;
            case PickleOpcode.Dict: _stack.Push(SetItems(NewDictionary(), _stack.PopToMark())); break;
            case PickleOpcode.EmptySet: _stack.Push(NewSet()); break;
            case PickleOpcode.FrozenSet: _stack.Push(AddItems(NewSet(), _stack.PopToMark())); break;
            case PickleOpcode.EmptyTuple: _stack.Push(Array.Empty<object?>()); break;
            case PickleOpcode.Tuple1: _stack.Push(_stack.PopTuple(1)); break;
            case PickleOpcode.Tuple2: _stack.Push(_stack.PopTuple(2)); break;
            case PickleOpcode.Tuple3: _stack.Push(_stack.PopTuple(3)); break;
            case PickleOpcode.Tuple: _stack.Push(_stack.PopToMark()); break;
            default: return false;
        }
        return true;
    }

    private bool Fill(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Append:
                Append(_stack.PopTuple(1));
                break;
            case PickleOpcode.Appends:
                Append(_stack.PopToMark());
                break;
            case PickleOpcode.SetItem:
                var pair = _stack.PopTuple(2);
                SetItems(_stack.Peek<Dictionary<object, object?>>("a dictionary to fill"), pair);
                break;
            case PickleOpcode.SetItems:
                var pairs = _stack.PopToMark();
                SetItems(_stack.Peek<Dictionary<object, object?>>("a dictionary to fill"), pairs);
                break;
            case PickleOpcode.AddItems:
                var items = _stack.PopToMark();
                AddItems(_stack.Peek<HashSet<object>>("a set to fill"), items);
                break;
            case PickleOpcode.Build:
                Build(_stack.Pop());
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
                _stack.Push(globals.Find(_input.Ascii(), _input.Ascii()));
                break;
            case PickleOpcode.StackGlobal:
                var name = _stack.Pop<string>("a name");
                _stack.Push(globals.Find(_stack.Pop<string>("a module"), name));
                break;
            case PickleOpcode.Inst:
                var instanceOf = globals.Find(_input.Ascii(), _input.Ascii());
                Call(instanceOf, _stack.PopToMark());
                break;
            case PickleOpcode.Obj:
                if (_stack.PopToMark() is not [PickleGlobal type, .. var values]) throw new PickleException("the pickle is damaged: a class is missing");
                Call(type, values);
                break;
            case PickleOpcode.NewObjEx:
                if (_stack.Pop<Dictionary<object, object?>>("named arguments").Count > 0)
                    throw new PickleException("it passes named arguments to a class, which plain data never needs");
                Call();
                break;
            case PickleOpcode.Reduce or PickleOpcode.NewObj:
                Call();
                break;
            case PickleOpcode.PersId:
                _stack.Push(Persistent(_input.Ascii()));
                break;
            case PickleOpcode.BinPersId:
                _stack.Push(Persistent(_stack.Pop()));
                break;
            default: return false;
        }
        return true;
    }

    private bool Administer(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Proto when _input.Byte() is var protocol:
                if (protocol > HighestProtocol) throw new PickleException($"is a pickle of protocol {protocol}; protocols up to {HighestProtocol} can be read");
                break;
            case PickleOpcode.Frame:
                // A frame only helps a reader that buffers; what is inside is read as usual.
                if (_input.UInt64() > (ulong)(data.Length - _input.Position)) throw new PickleException("the pickle is cut off: a frame is longer than the file");
                break;
            case PickleOpcode.Mark: _stack.Mark(); break;
            case PickleOpcode.Pop: _stack.Drop(); break;
            case PickleOpcode.PopMark: _stack.PopToMark(); break;
            case PickleOpcode.Dup: _stack.Push(_stack.Peek()); break;
            case PickleOpcode.Memoize: _stack.RememberNext(); break;
            case PickleOpcode.Put: _stack.Remember(MemoIndex(_input.Ascii())); break;
            case PickleOpcode.BinPut: _stack.Remember(_input.Byte()); break;
            case PickleOpcode.LongBinPut: _stack.Remember(_input.UInt32()); break;
            case PickleOpcode.Get: _stack.Recall(MemoIndex(_input.Ascii())); break;
            case PickleOpcode.BinGet: _stack.Recall(_input.Byte()); break;
            case PickleOpcode.LongBinGet: _stack.Recall(_input.UInt32()); break;
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
        var arguments = _stack.Pop<object?[]>("a tuple of arguments");
        Call(_stack.Pop<PickleGlobal>("a function or class to call"), arguments);
    }

    private void Call(PickleGlobal function, object?[] arguments)
    {
        foreach (var argument in arguments) _consumed += argument switch
        {
            string text => text.Length,
            byte[] bytes => bytes.Length,
            ICollection collection => collection.Count,
            _ => 0,
        };
        if (_consumed > MaxConsumption * (long)data.Length) throw new PickleException("it builds far more than it holds");
        _stack.Push(function.Call(arguments));
    }

    private void Build(object? state)
    {
        switch (_stack.Peek())
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

    private void Append(object?[] items) => _stack.Peek<List<object?>>("a list to fill").AddRange(items);

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
        return PickleText.Integer(new BigInteger(_input.Bytes(byteCount)));
    }

    private static long MemoIndex(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
        ? index
        : throw new PickleException($"the pickle is damaged: {TextForMessage.Quote(text, 40)} is no memo index");
}
