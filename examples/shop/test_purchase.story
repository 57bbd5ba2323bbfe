# A customer looks at shoes, changes their mind, and buys a hat.
at Window
you  hello
bot  Hello John, welcome to the shop!
bot  | Umbrella
     | 19.50 EUR
     | image https://example.com/umbrella.png
     | [Buy]
     --
     | Straw hat
     | 24.00 EUR
     | image https://example.com/straw-hat.png
     | [Buy]
bot  What are you looking for?
     [Accessories] [Hats] [Shoes]
you  [Shoes]
at Shelf
bot  | Blue shoes
     | 49.00 EUR
     | image https://example.com/blue-shoes.png
     | [Buy]
     --
     | Red shoes
     | 59.00 EUR
     | image https://example.com/red-shoes.png
     | [Buy]
session kind = "shoes"
you  Hats
bot  | Straw hat
     | 24.00 EUR
     | image https://example.com/straw-hat.png
     | [Buy]
     --
     | Bowler hat
     | 89.00 EUR
     | image https://example.com/bowler-hat.png
     | [Buy]
you  [Buy] (1)
at Basket
bot  Your basket, 24.00 EUR:
     Straw hat: 24.00 EUR
     [Look around] [Check out]
session product = "straw-hat"
session basket = ["straw-hat"]
you  [Check out]
at Checkout
bot  Thank you for your order of 24.00 EUR.
session basket = []
you  bye
at Goodbye
bot  See you soon!
     · pauses the bot
