System.Console.WriteLine("mvadapter");
